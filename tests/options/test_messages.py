"""Messages name options as Python does, and the command line by their flags."""

import pytest

from timm_multimix import cli
from timm_multimix.data.splits import load_splits
from timm_multimix.errors import UsageError
from timm_multimix.options.messages import error_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("`image_column` x: no such column", "--image-column x: no such column"),
        ("name another with `label_column`", "name another with --label-column"),
        ("allowed are `no_aug`\nand `attacks`", "allowed are --no-aug and --attacks"),
        ("`auto` is no option, nor is `train --help`", "`auto` is no option, nor is `train --help`"),
        ("image_column without quotes stays", "image_column without quotes stays"),
    ],
)
def test_options_have_their_flags(text: str, line: str) -> None:
    assert error_line(UsageError(text)) == line


@pytest.mark.parametrize(
    ("name", "flag"), [("train_split", "--train-split"), ("image_column", "--image-column")]
)
def test_the_same_mistake_in_python_and_on_the_command_line(
    name: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        load_splits("digits", **{name: "x"})
    assert str(caught.value).startswith(f"`{name}` x: ")
    assert cli.main(["train", flag, "x"]) == 2
    assert capsys.readouterr().err == f"error: {str(caught.value).replace(f'`{name}`', flag)}\n"


def test_a_message_does_not_repeat_a_huge_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "9" * 30_000]) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: unexpected argument '999")
    assert len(line) < 2_000
    assert line.endswith("options begin with --\n")
