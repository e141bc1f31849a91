"""The Python API works where only torch, torchvision, timm and what they bring are installed."""

import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
BEYOND = ("accelerate", "datasets", "matplotlib", "pandas", "psutil", "pyarrow", "scipy", "sklearn")


def brought_by(*names: str) -> dict[str, Distribution]:
    """The installed distributions that these and their requirements are."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        try:
            found[name] = found.get(name) or distribution(name)
        except PackageNotFoundError:
            continue  # what another system or version needs
        needed = map(Requirement, found[name].requires or ())
        more = (each.name for each in needed if each.marker is None or each.marker.evaluate({"extra": ""}))
        waiting += [each for each in more if canonicalize_name(each) not in found]
    return found


@pytest.fixture
def lean(tmp_path: Path) -> Path:
    """A directory to import from that holds links to those packages, and to this one."""
    for each in brought_by("torch", "torchvision", "timm").values():
        for top in {file.parts[0] for file in each.files or ()} - {"..", "__pycache__"}:
            if not (tmp_path / top).exists():
                (tmp_path / top).symlink_to(str(each.locate_file(top)))
    (tmp_path / "timm_multimix").symlink_to(ROOT / "timm_multimix")
    return tmp_path


CODE = f"""
import importlib.util, sys
sys.path.insert(0, sys.argv[1])
import timm, torch
from timm_multimix import MixTask, create_mixer, functional, list_mixers
present = [name for name in {BEYOND!r} if importlib.util.find_spec(name)]
assert not present, present
images, labels = torch.rand(4, 3, 64, 64), torch.arange(4)
models = {{name: timm.create_model(name, num_classes=4, img_size=64) if "vit" in name else
          timm.create_model(name, num_classes=4) for name in ("test_resnet", "test_vit")}}
for name in list_mixers():
    model = models["test_vit" if name == "transmix" else "test_resnet"]
    try:
        MixTask(model, name)(images, labels)["loss"].backward()
    except ValueError as error:
        print(name, error)
functional.mixup(images, 1.0)
"""


def test_every_mixer_trains_and_one_says_what_it_needs(lean: Path) -> None:
    done = subprocess.run([sys.executable, "-I", "-S", "-c", CODE, lean], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = [
        line for line in done.stdout.splitlines() if "must have attention" not in line
    ]  # of a ViT's mixers
    assert said == ["puzzlemix puzzlemix needs SciPy, which is not installed; run `pip install scipy`"]


@pytest.mark.parametrize(
    ("code", "unneeded"),
    [
        ("from timm_multimix.mixers import cards", ("torch._dynamo", "timm", "scipy", "accelerate")),
        ("import timm_multimix.training", ("datasets", "pandas", "matplotlib", "sklearn")),
    ],
    ids=["list", "train"],
)
def test_a_start_imports_no_slow_package_that_it_does_not_need(code: str, unneeded: tuple[str, ...]) -> None:
    check = f"import sys; print([name for name in {unneeded!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", f"{code}\n{check}"], capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr
