"""Faults around a run (disks, workers, other processes), each reported in one line by one process."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch.distributed as dist
from accelerate import Accelerator
from safetensors import SafetensorError

from ..errors import UsageError
from ..options.messages import error_line
from .checkpoint import clean_up, find_checkpoint

logger = logging.getLogger(__name__)

_PEER = re.compile(r"gloo|nccl|connection (closed|reset|refused)|broken pipe|peer|timed out", re.IGNORECASE)


class Reporter:
    """Reports what ended a run: the first process with an error prints it, the others are silent.

    `directory` is the run's, once it exists; before that the main process reports, as all processes find
    mistakes in the options.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.directory: Path | None = None

    @contextmanager
    def told_once(self) -> Iterator[None]:
        """Turn faults into UsageErrors.

        Raises:
            UsageError: for an error that is not a bug.
        """
        try:
            yield
        except UsageError as error:
            self.tell(error)
            raise
        except RuntimeError as error:
            reason = fault_of(error, self.accelerator.num_processes)
            if reason is None:
                raise
            fault = UsageError(reason)
            self.tell(fault)
            raise fault from error

    def tell(self, error: UsageError) -> None:
        """Print an error, unless another process has printed one; never twice."""
        if self.accelerator.num_processes == 1 or error.told:
            return
        error.told = True
        if self.is_first():
            logger.error(error_line(error))

    def is_first(self) -> bool:
        """Whether no process has asked before; if the main one has deleted the directory, it has reported."""
        if self.directory is None:
            return self.accelerator.is_main_process
        try:
            (self.directory / ".tmp-told").touch(exist_ok=False)
        except (FileExistsError, FileNotFoundError):
            return False
        except OSError:  # a full disk
            return True
        return True


def fault_of(error: RuntimeError, processes: int) -> str | None:
    """Return the meaning of an error of torch for the user; None if it is unknown."""
    text = str(error)
    if "DataLoader worker" in text:
        reason = " ".join(text.split())
        return f"a DataLoader worker died ({reason}); try fewer --workers, which need less memory. {GO_ON}"
    if processes > 1 and (isinstance(error, dist.DistError) or _PEER.search(text)):
        return f"another process of the run died, or did not answer in time. {GO_ON}"
    return None


GO_ON = "The last checkpoint is intact: resume with --resume auto and the same --output"


@contextmanager
def writing(directory: Path, accelerator: Accelerator) -> Iterator[None]:
    """Guard writes to a run's directory.

    Raises:
        UsageError: a write failed; temporary files are deleted first.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        if accelerator.is_main_process:
            with suppress(OSError):
                clean_up(directory)
        last = find_checkpoint(directory).checkpoint
        state = f"{last} is intact: resume with --resume auto" if last else "there is no checkpoint yet"
        raise UsageError(f"cannot write to {directory}: {error}; {state}") from error
