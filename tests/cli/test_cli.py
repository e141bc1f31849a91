"""The console entry: commands, exit statuses, and one line for each mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import timm_multimix
from timm_multimix import cli
from timm_multimix.cli import train
from timm_multimix.errors import UsageError

ROOT = Path(__file__).parents[2]


def python(*arguments, cwd=ROOT):
    return subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture
def failing(monkeypatch):
    """Make the train command raise."""

    def fail_with(error):
        def main(argv):
            raise error

        monkeypatch.setattr(train, "main", main)

    return fail_with


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"]])
def test_help_lists_the_commands(argv, capsys):
    assert cli.main(argv) == 0
    out = capsys.readouterr().out
    assert [name for name in cli.COMMANDS if f"  {name} " not in out] == []


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["trian"], "unknown command 'trian'; did you mean train?"),
        (["list", "nonsense*"], "no mixer matches 'nonsense*'; there are none, "),
        (["list", "--frobnicate"], "--frobnicate"),
        (["train", "--mxi", "multimix"], "unrecognized option --mxi; did you mean --mix?"),
        (["train", "--lr", "-3"], "--lr: expected a number > 0, got '-3'"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(argv, words, capsys):
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err


def test_an_error_of_several_lines_is_printed_in_one(failing, capsys):
    failing(UsageError("first\n  second"))
    assert cli.main(["train"]) == 2
    assert capsys.readouterr().err == "error: first second\n"


@pytest.mark.parametrize(("rank", "lines"), [("0", 1), ("1", 0)])
@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK"])
def test_under_a_launcher_only_the_main_process_prints(variable, rank, lines, monkeypatch, capsys):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv(variable, rank)
    assert cli.main(["train", "--lr", "0"]) == 2
    assert capsys.readouterr().err.count("\n") == lines


def test_an_interrupt_is_quiet(failing, capsys):
    failing(KeyboardInterrupt())
    assert cli.main(["train"]) == 130
    assert capsys.readouterr().err == ""


def test_other_errors_are_not_hidden(failing):
    failing(RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["train"])


@pytest.mark.parametrize("start", [["train.py"], ["-m", "timm_multimix", "train"]])
def test_a_mistake_on_the_real_command_line(start):
    done = python(*start, "--epochs", "none")
    assert done.returncode == 2
    assert done.stderr == "error: --epochs: expected a whole number >= 1, got 'none'\n"


def test_train_help_on_the_real_command_line():
    done = python("train.py", "--help")
    assert done.returncode == 0
    assert "--mix SPEC" in done.stdout


def test_an_unknown_mixer_on_the_real_command_line(tmp_path):
    done = python(str(ROOT / "train.py"), "--mix", "nonsense", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown mixer 'nonsense'")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_options_are_read_without_loading_torch():
    code = (
        "import sys; from timm_multimix.cli import main; main(['train', '--lr', '0']); print([*sys.modules])"
    )
    done = python("-c", code)
    assert done.stderr.startswith("error: --lr")
    assert "'argparse'" in done.stdout
    assert "'torch'" not in done.stdout


def test_a_closed_pipe_ends_a_command_quietly():
    """As in `timm-multimix list | head -1`: the output exceeds the pipe's buffer and is not read."""
    program = "import sys; from timm_multimix import cli; cli._run = lambda argv: print('x\\n' * 10**6) or 0"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{program}; sys.exit(cli.main([]))"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"x\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 128 + 13


def test_characters_that_the_output_cannot_encode_are_escaped(tmp_path):
    """With a strict encoding, and a name that is not UTF-8."""
    name = b"caf\xe9 \xc3\xa9"
    found = subprocess.run(
        [sys.executable, "-m", "timm_multimix", "train", "--model", name],
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "ascii:strict", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=120,
    )
    assert found.returncode == 2
    assert found.stderr.startswith(b"error: unknown model 'caf")
    assert found.stderr.isascii()
    assert found.stderr.count(b"\n") == 1


def test_the_console_entry_is_a_program_as_well():
    found = python("-m", "timm_multimix.cli", "trian")
    assert (found.returncode, found.stderr[:31]) == (2, "error: unknown command 'trian';")


def test_the_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"timm-multimix {timm_multimix.__version__}\n"
