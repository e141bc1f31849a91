"""Messages of the package as shown to users, and that library code never prints."""

import ast
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

import timm_multimix
from timm_multimix.logs import Console, kept_in, own_warnings_logged, show_messages, start_logging

PACKAGE = Path(timm_multimix.__file__).parent


@pytest.fixture
def undisturbed() -> Iterator[None]:
    """Restore logging for other tests."""
    loggers = [logging.getLogger(name) for name in (None, "timm_multimix", "timm")]
    before = [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    yield
    for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:], logger.propagate = handlers, propagate


@pytest.mark.usefixtures("undisturbed")
def test_plain_messages_on_stdout_others_in_a_line_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "token-of-tester")
    show_messages()
    show_messages()
    start_logging("info")
    logger = logging.getLogger("timm_multimix.some.part")
    logger.debug("nothing")
    logger.info("one\ntwo 5 %")
    logger.warning("odd\n  thing, token-of-tester")
    logger.error("wrong")
    out, err = capsys.readouterr()
    assert out == "one\ntwo 5 %\n"
    assert err == "warning: odd thing, REDACTED\nerror: wrong\n"


@pytest.mark.usefixtures("undisturbed")
def test_own_warnings_are_lines_of_the_terminal_and_of_the_log(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    show_messages()
    own = ("odd\nmodel", UserWarning, str(PACKAGE / "sites/hidden.py"), 1)
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        with own_warnings_logged(shown=True):
            warnings.warn_explicit("before the file is there", UserWarning, str(PACKAGE / "task.py"), 1)
            with kept_in(tmp_path / "train.log"):
                warnings.warn_explicit(*own)
                warnings.warn_explicit(*own)
                warnings.warn_explicit("of others", UserWarning, "elsewhere.py", 1)
        with own_warnings_logged(shown=False):  # another process shows them
            warnings.warn_explicit(*own)
    assert [str(other.message) for other in others] == ["of others"]
    assert capsys.readouterr().err == "warning: before the file is there\nwarning: odd model\n"
    assert [line.partition("warning: ")[2] for line in (tmp_path / "train.log").read_text().splitlines()] == [
        "before the file is there",
        "odd",
        "model",
    ]


@pytest.mark.usefixtures("undisturbed")
def test_log_levels_of_other_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("warning")
    logging.getLogger("timm").info("loading")
    logging.getLogger("timm").warning("weights differ")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("WARNING timm: weights differ\n")
    assert "loading" not in err


@pytest.mark.usefixtures("undisturbed")
def test_a_program_that_uses_the_package_keeps_its_logging(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "token-of-tester")
    monkeypatch.chdir(tmp_path)
    library = logging.getLogger("timm")
    monkeypatch.setattr(library, "handlers", [logging.StreamHandler()])
    root, own = logging.getLogger(), library.handlers[0]
    before = root.level, list(root.handlers)
    timm_multimix.train(epochs=1, batch_size=512, workers=0, log_level="info")
    assert (root.level, root.handlers, library.handlers) == (*before, [own])
    library.info("loading with token-of-tester")
    assert "loading with REDACTED\n" in capsys.readouterr().err


def test_without_show_messages_warnings_are_seen(capsys: pytest.CaptureFixture[str]) -> None:
    package = logging.getLogger("timm_multimix")
    handlers = list(package.handlers)
    package.handlers[:] = [handler for handler in handlers if not isinstance(handler, Console)]
    root, logging.root.handlers[:] = list(logging.root.handlers), []
    try:
        logging.getLogger("timm_multimix.x").warning("odd")
        logging.getLogger("timm_multimix.x").info("plain")
    finally:
        package.handlers[:], logging.root.handlers[:] = handlers, root
    assert capsys.readouterr() == ("", "odd\n")


def test_only_commands_print() -> None:
    printing = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    }
    assert printing == {"cli", "logs.py"}
