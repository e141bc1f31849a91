"""Files in a commit of the test Hub, and which of them go through LFS."""

import hashlib
from dataclasses import dataclass

LFS_SUFFIXES = (".safetensors", ".parquet", ".bin", ".pt", ".pth", ".pkl", ".zip", ".tar", ".gz", ".onnx")
LFS_SIZE = 10 * 2**20


@dataclass(frozen=True)
class Entry:
    """A file in a commit: git's hash, size in bytes, and the SHA-256 of a file kept by LFS."""

    oid: str
    size: int
    sha256: str | None = None
    pointer_size: int = 0

    @property
    def content(self) -> str:
        """The hash under which the content is kept; also the ETag."""
        return self.sha256 or self.oid


def git_hash(data: bytes) -> str:
    """The hash git gives a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def lfs_entry(sha256: str, size: int) -> Entry:
    """The entry of a large file, of which git only holds a pointer."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    return Entry(git_hash(pointer), size, sha256, len(pointer))


def is_large(path: str, size: int, sample: bytes) -> bool:
    """Whether a file goes through LFS: by its name, its size, or because it is no text."""
    return path.endswith(LFS_SUFFIXES) or size > LFS_SIZE or b"\0" in sample
