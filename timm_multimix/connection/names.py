"""Names of repositories on the Hub, in the forms in which users write them."""

import os
import re

from ..errors import UsageError

_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/", re.IGNORECASE)


def parse_repo_id(text: str) -> str:
    """Return USER/NAME from a text that is that, or the address of a model's page.

    Raises:
        UsageError: for anything else.
    """
    from huggingface_hub.errors import HFValidationError  # slow to import, and not needed for --help
    from huggingface_hub.utils import validate_repo_id

    name = _without_address(text.strip())
    try:
        validate_repo_id(name)
        valid = name.count("/") == 1
    except HFValidationError:
        valid = False
    if not valid:
        raise UsageError(
            f"a Hub id must be USER/NAME of letters, digits, '-', '_' and '.', got {' '.join(text.split())!r}"
        )
    return name


def _without_address(text: str) -> str:
    """Return USER/NAME from the address of any page of a model; other texts as they are."""
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") + "/"
    found = _ADDRESS.match(text)
    if len(endpoint) > 1 and text.startswith(endpoint):
        rest = text.removeprefix(endpoint)
    elif found:
        rest = text[found.end() :]
    else:
        return text
    parts = re.split(r"[?#]", rest)[0].strip("/").split("/")
    return "/".join(parts[:2]) if parts[0] not in ("datasets", "spaces") else text
