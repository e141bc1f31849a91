"""One commit of some files, at most once, however often the network fails."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.hf_api import RepoFile

from .retry import retried

Content = bytes | Path


def push_files(api: HfApi, repo_id: str, files: Mapping[str, Content], message: str) -> str:
    """Make main hold these files, by one commit, or none where it does already; gives main's commit.

    Every attempt looks at main's head first and commits onto that head or not at all, so an attempt that
    succeeded unnoticed is noticed by the next, and one that succeeds late cannot follow it.
    """
    return retried(lambda: _attempt(api, repo_id, files, message))


def _attempt(api: HfApi, repo_id: str, files: Mapping[str, Content], message: str) -> str:
    head = api.model_info(repo_id).sha
    changed = changed_files(api, repo_id, head, files)
    if not changed and head:
        return head
    operations = [CommitOperationAdd(name, files[name]) for name in changed]
    return api.create_commit(repo_id, operations, commit_message=message, parent_commit=head).oid


def changed_files(api: HfApi, repo_id: str, revision: str | None, files: Mapping[str, Content]) -> list[str]:
    """Names of the files that a revision lacks or has with another content."""
    there = {
        entry.path: entry
        for entry in api.get_paths_info(repo_id, list(files), revision=revision)
        if isinstance(entry, RepoFile)
    }
    return [name for name, content in files.items() if not _equal(content, there.get(name))]


def _equal(content: Content, entry: RepoFile | None) -> bool:
    """Whether a file on the Hub has this content, by the digest it is stored under."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if entry is None or entry.size != size:
        return False
    if entry.lfs:
        return entry.lfs.sha256 == _digest("sha256", b"", content)
    return entry.blob_id == _digest("sha1", b"blob %d\0" % size, content)


def _digest(algorithm: str, header: bytes, content: Content) -> str:
    summary = hashlib.new(algorithm, header, usedforsecurity=False)
    if isinstance(content, bytes):
        summary.update(content)
    else:
        with content.open("rb") as stream:
            while block := stream.read(1 << 20):
                summary.update(block)
    return summary.hexdigest()


def tag_commit(api: HfApi, repo_id: str, tag: str, commit: str) -> None:
    """Make a tag name a commit; one of an earlier run is moved."""
    retried(lambda: _tag(api, repo_id, tag, commit))


def _tag(api: HfApi, repo_id: str, tag: str, commit: str) -> None:
    tags = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo_id).tags}
    if tags.get(tag) == commit:
        return
    if tag in tags:
        api.delete_tag(repo_id, tag=tag)
    api.create_tag(repo_id, tag=tag, revision=commit, exist_ok=True)
