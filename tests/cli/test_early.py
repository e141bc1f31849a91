"""Wrong names are reported in real processes that have not loaded torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = (
    "import sys; from timm_multimix.cli import main; status = main(sys.argv[1:]); "
    "print(status, 'torch' in sys.modules)"
)
PLUGIN = """
import torch
from timm_multimix import functional as F, register_mixer

@register_mixer
def plugged(x: torch.Tensor, alpha: float = 1.0, generator: torch.Generator | None = None) -> F.Draw:
    \"\"\"Plugged.\"\"\"
    return F.mixup.draw(x, alpha, generator=generator)
"""


def call(directory: Path, *words: str, path: Path = ROOT) -> tuple[str, str]:
    """Status and whether torch is loaded, and the error, of a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(dict.fromkeys([str(path), str(ROOT)]))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout.strip(), done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train --mix mixpu", "unknown mixer 'mixpu' (did you mean mixup?); allowed are none,"),
        ("train --mix 0.5*none|per_sample(mixup|cutmx)", "unknown mixer 'cutmx' (did you mean cutmix?)"),
        ("train --dataset data/trian", "dataset 'data/trian': no such directory (did you mean data/train?);"),
        ("train --dataset ./nowhere", "dataset './nowhere': no such directory; expected 'digits'"),
        ("train --model local-dir:nowhere", "model local-dir:nowhere: there is no directory nowhere"),
        ("train --initial-checkpoint no.pth", "--initial-checkpoint no.pth: there is no such file"),
        ("train --pretrained-path no.pth", "--pretrained-path no.pth: there is no such file"),
        ("compare --output out --mix none --mix cutmx", "unknown mixer 'cutmx' (did you mean cutmix?)"),
        ("compare --output out --mix none -- --dataset /no/data", "dataset '/no/data': no such directory;"),
        ("compare --output out none mixup", "none is not a run's directory: there is no such directory"),
        ("evaluate runs/nowhere", "runs/nowhere is not a run's directory: there is no such directory"),
        ("evaluate data/file.safetensors", "data/file.safetensors is a file; give local-dir:data, its"),
        ("evaluate test_resnet --consistency mixpu", "unknown mixer 'mixpu' (did you mean mixup?)"),
        ("evaluate test_resnet --ood /no/data", "dataset '/no/data': no such directory;"),
        ("predict runs/nowhere data/file.safetensors", "runs/nowhere is not a run's directory"),
        (
            "predict test_resnet data/file.safetensors a.png",
            "IMAGE must be a file or directory that exists, got a.png\n",
        ),
        (
            "predict test_resnet a.png data b.png c.png",
            "IMAGE must be a file or directory that exists, got a.png and 2 others that do not\n",
        ),
        ("preview --mix mixpu --out a.png", "unknown mixer 'mixpu' (did you mean mixup?)"),
        ("preview --mix mixup --dataset /no/data --out a.png", "dataset '/no/data': no such directory;"),
        ("list mixpu", "no mixer matches 'mixpu'; there are none,"),
    ],
)
def test_a_wrong_name_is_reported_without_torch(words, said, tmp_path):
    (tmp_path / "data/train").mkdir(parents=True)
    (tmp_path / "data/file.safetensors").touch()
    printed, error = call(tmp_path, *words.split())
    assert printed == "2 False"
    assert error.startswith(f"error: {said}")
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


def test_names_that_only_the_registry_knows_wait_for_it(tmp_path):
    """A module that is imported, and an installed package's entry point, may register any name."""
    (tmp_path / "plugged_module.py").write_text(PLUGIN)
    known = call(tmp_path, "train", "--import", "plugged_module", "--mix", "plugged", "--epochs", "0")
    assert known == ("2 False", "error: --epochs: expected a whole number >= 1, got '0'\n")
    printed, error = call(tmp_path, "train", "--import", "plugged_module", "--mix", "pluged")
    assert printed == "2 True"
    assert error.startswith("error: unknown mixer 'pluged' (did you mean plugged?)")

    about = tmp_path / "site/plugged-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[timm_multimix.mixers]\nplugged = plugged_installed\n")
    (tmp_path / "site/plugged_installed.py").write_text(PLUGIN)
    printed, error = call(tmp_path, "list", "plugged", path=tmp_path / "site")
    assert printed.endswith("0 True")
    assert "Plugged." in printed
    assert error == ""
