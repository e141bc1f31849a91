"""Mixers of a package that is really installed, and of a module in the working directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from timm_multimix import create_mixer, list_mixers
from timm_multimix.cli import main
from timm_multimix.errors import UsageError
from timm_multimix.mixer_names import GROUP
from timm_multimix.mixers import plugins, registry

CODE = """
import torch
from timm_multimix import functional as F, register_mixer

@register_mixer
def NAME(x: torch.Tensor, alpha: float = 1.0, generator: torch.Generator | None = None) -> F.Draw:
    \"\"\"Plugged: mixup under another name.\"\"\"
    return F.mixup.draw(x, alpha, generator=generator)
"""


@pytest.fixture(autouse=True)
def as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Leave no mixer, module or path behind."""
    known, modules, path = dict(registry._entry_points), set(sys.modules), list(sys.path)
    monkeypatch.chdir(tmp_path)
    plugins.load_installed.cache_clear()
    yield
    registry._entry_points.clear()
    registry._entry_points.update(known)
    for name in set(sys.modules) - modules:
        if name.startswith("plugged"):
            del sys.modules[name]
    sys.path[:] = path
    plugins.load_installed.cache_clear()


def install(site: Path, value: str, code: str = CODE) -> None:
    """A package as pip leaves it in a directory of packages."""
    site.mkdir()
    (site / "plugged.py").write_text(code.replace("NAME", "plugged_mix"))
    about = site / "plugged-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{GROUP}]\nplugged_mix = {value}\n")


@pytest.mark.parametrize("value", ["plugged", "plugged:plugged_mix"])
def test_an_installed_package_adds_its_mixers(value, tmp_path, monkeypatch, capsys):
    install(tmp_path / "site", value)
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert repr(create_mixer("0.5*plugged_mix(alpha=2) | 0.5*none")).startswith("Mixture(")
    assert list_mixers()[-1] == "plugged_mix"
    assert main(["list", "plugged_mix"]) == 0
    assert "Plugged: mixup under another name" in capsys.readouterr().out


def test_a_package_that_cannot_be_imported_is_warned_of(tmp_path, monkeypatch, caplog):
    install(tmp_path / "site", "plugged", code="1 / 0")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert "mixup" in list_mixers()
    assert "plugged_mix (plugged) could not be imported: ZeroDivisionError: division by zero" in caplog.text
    with pytest.raises(UsageError, match="unknown mixer 'plugged_mix'"):
        create_mixer("plugged_mix")


def test_a_module_in_the_working_directory_is_imported_recorded_and_resumed(tmp_path, capsys):
    (tmp_path / "plugged_here.py").write_text(CODE.replace("NAME", "plugged_here"))
    words = "train --import plugged_here --mix plugged_here --epochs 1 --batch-size 256 --workers 0"
    assert main([*words.split(), "--output", "run"]) == 0
    assert yaml.safe_load(Path("run/config.yaml").read_text())["import"] == ["plugged_here"]
    del registry._entry_points["plugged_here"], sys.modules["plugged_here"]
    Path("run/summary.json").unlink()
    assert main(["train", "--output", "run", "--resume", "auto"]) == 0
    assert "plugged_here" in registry._entry_points
    assert main(["list", "plugged_here", "--import", "plugged_here"]) == 0
    assert (
        main(
            [
                "preview",
                "--import",
                "plugged_here",
                "--mix",
                "plugged_here",
                "--out",
                "a.png",
                "--examples",
                "1",
            ]
        )
        == 0
    )
    assert Path("a.png").is_file()
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train --import plugged_none", "--import plugged_none: ModuleNotFoundError: No module named"),
        ("list --import plugged.py", "; give plugged\n"),
        ("compare run --output out --import plugged", "--import has no effect on finished runs; remove it"),
        ("evaluate m --import plugged", "--import has no effect without --consistency"),
    ],
)
def test_mistakes_are_told(words, said, capsys):
    assert main(words.split()) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_the_processes_of_a_comparison_import_it_as_well(tmp_path):
    (tmp_path / "plugged_here.py").write_text(CODE.replace("NAME", "plugged_here"))
    words = "compare --import plugged_here --mix none --mix plugged_here --seeds 1 --output out"
    training = "-- --epochs 1 --batch-size 256 --workers 0"
    script = Path(sys.executable).with_name("timm-multimix")  # which does not look into the directory itself
    done = subprocess.run(
        [str(script), *words.split(), *training.split()],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert "plugged_here" in (tmp_path / "out/comparison.md").read_text()
