"""Redaction for messages, records and publications: tokens are removed, paths reduced to their last part."""

import re

from .errors import printable

PUBLIC_KINDS = frozenset({"archives", "digits", "hub", "timm", "torchvision"})
"""Kinds of datasets and models whose names are public, not paths on this machine."""

_LOCAL_MODEL = re.compile(r"(local-dir:)([^'\"\s]+)")
_TOKEN = re.compile(r"hf_[A-Za-z0-9]{8,}|(?<=://)[^/@\s]*:[^/@\s]*(?=@)")
_DIRECTORIES = re.compile(
    r"""(?:^|(?<=[=:'"(,\s]))(?:(?:~[^/\s]*|\.{1,2})?/(?!/)|[A-Za-z]:[\\/](?![\\/]))(?:[^/\\'"]+[\\/](?=[^/\\'"]))*""",
)


def redact(text: str) -> str:
    """Remove tokens and passwords from a text, for messages and records."""
    from huggingface_hub import get_token  # takes long to import

    token = get_token()
    return _TOKEN.sub("REDACTED", text.replace(token, "REDACTED") if token else text)


def public_text(text: str) -> str:
    """Reduce a path in a command's word or an option's value to its last part."""
    text = _LOCAL_MODEL.sub(lambda found: found[1] + last_part(found[2]), printable(text))
    if not _DIRECTORIES.search(text):
        return redact(text)
    return redact(_DIRECTORIES.sub("", text).rstrip("/\\") or "folder")


def last_part(path: str) -> str:
    """Return the last part of a path."""
    return re.split(r"[\\/]", path.rstrip("/\\"))[-1].strip(".~") or "folder"
