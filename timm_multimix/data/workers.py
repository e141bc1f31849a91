"""Handling of signals in the processes that read images."""

import os
import signal
import threading


def leave_signals_to_the_run(worker: int) -> None:
    """Set up a worker so that only the run handles Ctrl-C, and a SIGTERM to all processes at once.

    The run needs its workers until it has saved its state; a SIGTERM from the run itself ends them.
    """
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on every system
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_when_told, daemon=True).start()


def _end_when_told() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
