"""A repository on the Hub at one commit, and which of its contents may be replaced."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from ..errors import UsageError
from .merge import Conflict, Parts, fingerprint, join, merge_mappings, read_front, split, write_front
from .record import Record, dump

Content = bytes | Path

RECORD, README = "record.json", "README.md"
_MODEL = frozenset({"config.json", "model.safetensors", "curves.png", RECORD})
_WEIGHTS = frozenset({".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".onnx", ".h5", ".msgpack"})


class WouldOverwrite(UsageError):
    """A push was refused because it would overwrite something that others wrote on the Hub."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; `push --overwrite` and `train --hub-overwrite` replace it")


class Remote:
    """The main branch of a repository: its head, its files, and the content of the last push."""

    def __init__(self, api: HfApi, repo_id: str) -> None:
        info = api.model_info(repo_id)
        self.api, self.repo_id, self.head, self.private = api, repo_id, info.sha, bool(info.private)
        self.names = [sibling.rfilename for sibling in info.siblings or ()]

    def stored(self, names: Iterable[str]) -> dict[str, str]:
        """Return the digests of these files on the Hub, for those that exist."""
        return {
            entry.path: entry.lfs.sha256 if entry.lfs else entry.blob_id
            for entry in self.api.get_paths_info(self.repo_id, list(names), revision=self.head)
            if isinstance(entry, RepoFile)
        }

    def read(self, name: str) -> bytes:
        """The content of a small file."""
        return read_file(self.api, self.repo_id, name, self.head)

    @cached_property
    def record(self) -> Record | None:
        """The record of the last push, None where there is none that is as it was written."""
        return published_record(self.read(RECORD)) if RECORD in self.names else None

    def check_ours(self, architecture: str, classes: Sequence[str] | None = None) -> None:
        """Check that a run of this architecture, with these classes if it has any, may be pushed here.

        Raises:
            WouldOverwrite: if it holds another model.
        """
        others = [name for name in self.names if name in _MODEL or PurePosixPath(name).suffix in _WEIGHTS]
        if self.record is None and others:
            raise WouldOverwrite(
                f"{self.repo_id} holds a model that timm_multimix did not publish ({', '.join(others[:3])})"
            )
        if self.record is not None and (there := self.record["model"]["architecture"]) != architecture:
            raise WouldOverwrite(f"{self.repo_id} holds a {there}, this run has trained a {architecture}")
        if self.record is not None and classes:
            self._check_classes(self.record["model"]["label_names"], classes)

    def _check_classes(self, theirs: Sequence[str] | None, ours: Sequence[str]) -> None:
        if theirs and list(ours) != list(theirs):
            there, here = (", ".join(names[:3]) for names in (theirs, ours))
            raise WouldOverwrite(
                f"{self.repo_id} holds a model of other classes, {there}, ..., than this run's, {here}, ..."
            )

    def check_untouched(self, files: Mapping[str, Content]) -> None:
        """Check that the files are unchanged since the last push.

        Raises:
            WouldOverwrite: if one was edited.
        """
        known = self.record["generated"]["files"] if self.record else {}
        for name, digest in self.stored(files).items():
            if name != RECORD and digest not in (*known.get(name, ()), *digests(files[name])):
                raise WouldOverwrite(f"{name} of {self.repo_id} was edited on the Hub since the last push")

    def _card(self) -> str:
        try:
            return self.read(README).decode() if README in self.names else ""
        except UnicodeDecodeError:
            raise Conflict("README.md is not UTF-8 text") from None

    def merge_card(self, front: dict[str, Any], make_body: Any, overwrite: bool) -> tuple[str, str]:
        """The README of a push, around which what people wrote stays.

        Args:
            front: the metadata of the run.
            make_body: makes the generated text for the merged metadata.
            overwrite: whether the generated text and entries replace what was edited in them; a README of
                another model goes.

        Returns:
            The README, and the fingerprint of its generated text.

        Raises:
            WouldOverwrite: if a part that is generated was edited.
        """
        try:
            return merge_text(self._card(), self.record, front, make_body, overwrite)
        except Conflict as conflict:
            if not overwrite:
                raise WouldOverwrite(f"{self.repo_id}: {conflict}") from conflict
            return merge_text("", None, front, make_body, overwrite)


def merge_text(
    text: str, record: Record | None, front: dict[str, Any], make_body: Any, overwrite: bool
) -> tuple[str, str]:
    """The README `text` with a new generated part, and the fingerprint of that.

    Raises:
        Conflict: if a part that is generated was edited.
    """
    parts = split(text)
    if overwrite and parts.generated is None:
        parts = Parts(None, "", None, "")
    before = record["generated"] if record else {"metadata": {}, "body": None}
    theirs = read_front(parts.front)
    merged = merge_mappings("", before["metadata"], theirs, front, overwrite)
    body = make_body(merged)
    edited = fingerprint(parts.generated or "") not in (before["body"], fingerprint(body))
    if parts.generated is not None and edited and not overwrite:
        raise Conflict(
            "README.md was edited between the marks of its generated text; move what you wrote above or below"
        )
    written = write_front(parts.front, theirs, merged, before["metadata"])
    return join(written, parts, body), fingerprint(body)


def read_file(api: HfApi, repo_id: str, name: str, revision: str | None) -> bytes:
    """The content of a small file at a revision."""
    url = hf_hub_url(repo_id, name, revision=revision, endpoint=api.endpoint)
    response = get_session().get(url, headers=build_hf_headers())
    hf_raise_for_status(response)
    return bytes(response.content)


def seal(record: Record, metadata: dict[str, Any], body: str, files: Mapping[str, Content]) -> bytes:
    """Text of record.json with digests of generated content, so that the next push can detect edits."""
    generated = {
        "metadata": metadata,
        "body": body,
        "files": {name: list(digests(content)) for name, content in files.items()},
        "record": fingerprint(dump(record)),
    }
    return dump(record | {"generated": generated}).encode()


def published_record(content: bytes) -> Record | None:
    """The record in a record.json that `seal` made; None if it is another file or was edited."""
    try:
        record: Record = json.loads(content)
        generated = record["generated"]
        rest = {name: value for name, value in record.items() if name != "generated"}
        whole = {"metadata", "body", "files"} <= generated.keys()
        return record if whole and generated["record"] == fingerprint(dump(rest)) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def digests(content: Content) -> tuple[str, str]:
    """Return the two digests under which the Hub may store a content: Git's, and the one for large files."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    git = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    large = hashlib.sha256()
    for block in _blocks(content):
        git.update(block)
        large.update(block)
    return git.hexdigest(), large.hexdigest()


def _blocks(content: Content) -> Iterable[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as stream:
        while block := stream.read(1 << 20):
            yield block
