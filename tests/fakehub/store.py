"""Repositories of the test Hub in a directory: commits and names as JSON, contents under their hashes."""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fakehub.entries import Entry, git_hash, is_large, lfs_entry

ATTRIBUTES = (
    b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n*.parquet filter=lfs diff=lfs merge=lfs -text\n"
)


class HubError(Exception):
    """A refusal: the HTTP status, the Hub's error code (X-Error-Code) and words for a person."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


def timestamp() -> str:
    """The current time in the Hub's format."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Repo:
    """A repository in a directory. `kind` is models or datasets; `name` is owner/name."""

    def __init__(self, directory: Path, kind: str, name: str, lock: threading.RLock) -> None:
        self.directory, self.kind, self.name, self.lock = directory, kind, name, lock

    @property
    def owner(self) -> str:
        return self.name.partition("/")[0]

    def exists(self) -> bool:
        return (self.directory / "repo.json").is_file()

    def state(self) -> dict[str, Any]:
        """private, gated, created, branches and tags."""
        return json.loads((self.directory / "repo.json").read_text())

    def update(self, **changes: Any) -> None:
        """Replace parts of the state."""
        with self.lock:
            state = {**(self.state() if self.exists() else {}), **changes}
            self.write(self.directory / "repo.json", json.dumps(state).encode())

    def initialise(self, private: bool) -> None:
        """Make the directories and, as the Hub does, a first commit that holds .gitattributes."""
        for name in ("commits", "contents"):
            (self.directory / name).mkdir(parents=True)
        self.update(private=private, gated=False, created=timestamp(), branches={"main": None}, tags={})
        self.commit({".gitattributes": ATTRIBUTES}, "initial commit")

    def add(self, path: str, data: bytes) -> Entry:
        """Keep a content, as LFS where its path or size says so."""
        if is_large(path, len(data), data[:512]):
            return self.add_large(data)
        return self.keep(Entry(git_hash(data), len(data)), data)

    def add_large(self, data: bytes) -> Entry:
        return self.keep(lfs_entry(hashlib.sha256(data).hexdigest(), len(data)), data)

    def keep(self, entry: Entry, data: bytes) -> Entry:
        self.write(self.content(entry.content), data)
        return entry

    def write(self, path: Path, data: bytes) -> None:
        """Write a file in one step for whoever reads it meanwhile."""
        with self.lock:
            part = path.with_suffix(".part")
            part.write_bytes(data)
            os.replace(part, path)

    def content(self, oid: str) -> Path:
        return self.directory / "contents" / oid

    def head(self, revision: str = "main") -> str:
        """The commit that a branch, a tag or the beginning of a commit's hash stands for."""
        state = self.state()
        named = state["branches"] | state["tags"]
        if revision in named:
            return named[revision]
        found = [path.stem for path in (self.directory / "commits").glob("*.json") if len(revision) >= 7]
        found = [oid for oid in found if oid.startswith(revision)]
        if len(found) != 1:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return found[0]

    def load_commit(self, revision: str = "main") -> dict[str, Any]:
        return json.loads((self.directory / "commits" / f"{self.head(revision)}.json").read_text())

    def files(self, revision: str = "main") -> dict[str, Entry]:
        """Every path of a revision with its entry."""
        return {path: Entry(**entry) for path, entry in self.load_commit(revision)["files"].items()}

    def entry(self, path: str, revision: str = "main") -> Entry:
        try:
            return self.files(revision)[path]
        except KeyError:
            raise HubError(404, "Entry not found", "EntryNotFound") from None

    def read(self, path: str, revision: str = "main") -> bytes:
        return self.content(self.entry(path, revision).content).read_bytes()

    def history(self, revision: str = "main") -> list[dict[str, Any]]:
        """The commits that led to a revision, newest first."""
        commits = [self.load_commit(revision)]
        while commits[-1]["parent"]:
            commits.append(self.load_commit(commits[-1]["parent"]))
        return commits

    def titles(self, revision: str = "main") -> list[str]:
        return [commit["title"] for commit in self.history(revision)]

    def commit(
        self,
        changes: Mapping[str, bytes | Entry | None],
        title: str,
        message: str = "",
        *,
        branch: str = "main",
        parent: str | None = None,
    ) -> str:
        """Add or replace (contents, entries) and remove (None) files on a branch; return the commit's hash.

        Raises:
            HubError: 412 if `parent` is given and no longer the branch's head.
        """
        with self.lock:
            branches = self.state()["branches"]
            if branch not in branches:
                raise HubError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
            head = branches[branch]
            if parent and not head.startswith(parent):
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            files = self.files(head) if head else {}
            for path, change in changes.items():
                files.pop(path, None)
                if change is not None:
                    files[path] = self.add(path, change) if isinstance(change, bytes) else change
            record = {"parent": head, "title": title, "message": message, "date": timestamp()}
            record["files"] = {path: asdict(files[path]) for path in sorted(files)}
            oid = hashlib.sha1(json.dumps(record).encode()).hexdigest()
            self.write(self.directory / "commits" / f"{oid}.json", json.dumps({"id": oid, **record}).encode())
            self.update(branches={**branches, branch: oid})
            return oid


class Store:
    """All repositories of a Hub, under one directory."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.lock = directory, threading.RLock()

    def repo(self, name: str, kind: str = "models") -> Repo:
        """The repository of this name, which need not exist."""
        return Repo(self.directory / kind / name, kind, name, self.lock)

    def create(self, name: str, kind: str = "models", *, private: bool = False) -> Repo:
        """A new repository.

        Raises:
            HubError: 409 if it exists.
        """
        repo = self.repo(name, kind)
        with self.lock:
            if repo.exists():
                raise HubError(409, f"You already created this {kind[:-1]} repo: {name}")
            repo.initialise(private)
        return repo

    def delete(self, repo: Repo) -> None:
        with self.lock:
            shutil.rmtree(repo.directory)
