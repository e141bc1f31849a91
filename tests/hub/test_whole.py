"""From training to the Hub, to timm and transformers, to a child: whole commands over a bad network."""

import json
import math
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.fakehub.cards import check_card, front_matter
from tests.fakehub.environment import run_python
from tests.fakehub.faults import drop, drop_after, rate_limited, somebody_commits, unavailable
from tests.fakehub.helpers import NAME
from tests.fakehub.server import TOKEN, HubServer
from tests.finished_runs import make_pictures, make_run, run_command

QUICK = ("train", "--workers", 0, "--batch-size", 128)
PUSH = ("--push-to-hub", "--hub-model-id")

LOAD = """
import json, sys, timm, torch
from safetensors.torch import load_file
from transformers import pipeline

run, image = sys.argv[1:] if len(sys.argv) > 1 else ("run", "picture.png")
images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
local = timm.create_model(f"local-dir:{run}/model", pretrained=True).eval()
model = timm.create_model("hf-hub:NAME", pretrained=True).eval()
assert torch.equal(model(images), local(images))
assert "timm_multimix" not in sys.modules
embed = timm.create_model("hf-hub:NAME", pretrained=True, num_classes=0).eval()
assert embed(images).shape == (4, model.num_features)

from PIL import Image
image = Image.open(image).convert("RGB")
transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
scores = model(transform(image)[None]).softmax(1)[0]
names = model.pretrained_cfg["label_names"]
answers = pipeline("image-classification", model="NAME", top_k=len(names))(image)
told = {answer["label"]: answer["score"] for answer in answers}
assert set(told) == set(names), told
assert max(abs(told[name] - score.item()) for name, score in zip(names, scores)) < 1e-4, told
print(json.dumps(names), answers[0]["label"])
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def check_uploaded(hub: HubServer, name: str, home: Path) -> dict[str, object]:
    """Check a published repository, and return the card's metadata."""
    repo = hub.store.repo(name)
    texts = {path: repo.read(path) for path, entry in repo.files().items()}
    assert not [path for path in texts if path.endswith((".bin", ".pth", ".pt", ".pkl"))]
    for content in texts.values():
        assert TOKEN.encode() not in content
        assert str(home).encode() not in content
        assert b"/tmp" not in content
    card = texts["README.md"].decode()
    assert check_card(card) == ([], [])
    return yaml.safe_load(front_matter(card) or "")


@pytest.mark.slow
def test_train_push_load_and_fine_tune(hub: HubServer, home: Path) -> None:
    hub.faults.add("POST", "/api/repos/create", unavailable)
    hub.faults.add("POST", "*/commit/*", drop_after)
    hub.faults.add("POST", "*/commit/*", rate_limited(0))
    hub.faults.add("POST", "*/commit/*", somebody_commits())
    hub.faults.add("PUT", "*", drop)
    done = run_command(
        hub, home, *QUICK, "--epochs", 5, "--mix", "mixup | cutmix", "--output", home / "run", *PUSH, NAME,
        "--hub-tag-epochs", "--log-with", "tensorboard",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    repo = hub.store.repo(NAME)
    mine = [title for title in repo.titles() if "somebody" not in title]
    assert len(mine) == len(set(mine)) >= 3
    assert mine[0].startswith("Result, epoch 5 of 5")
    assert {f"epoch-{title.split()[1]}" for title in mine[1:-1]} | {"epoch-5"} == set(repo.state()["tags"])
    assert "license" not in check_uploaded(hub, NAME, home)
    summary = json.loads((home / "run/summary.json").read_text())
    assert json.loads(repo.read("record.json"))["summary"]["top1"] == summary["top1"]
    training = json.loads(repo.read("config.json"))["training"]
    assert (training["mix"], training["seed"], training["options"]["epochs"]) == ("mixup | cutmix", 42, 5)
    for path in (home / "run").rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes()
    assert TOKEN not in done.stdout + done.stderr

    Image.linear_gradient("L").resize((8, 8)).save(home / "picture.png")
    told = run_python(LOAD.replace("NAME", NAME), hub, home).stdout
    assert json.loads(told[: told.index("]") + 1]) == [str(digit) for digit in range(10)]

    pictures, child = make_pictures(home / "secret/pictures", 10), "tester/child"  # as many as digits
    hub.faults.add("GET", "*/resolve/*/model.safetensors", unavailable)
    done = run_command(
        hub, home, *QUICK, "--epochs", 1, "--dataset", pictures, "--model", f"hf-hub:{NAME}", "--pretrained",
        "--body-lr-scale", 0.1, "--output", "child", *PUSH, child, "--hub-private", "--hub-license", "mit",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metadata = check_uploaded(hub, child, home)
    assert (metadata["base_model"], metadata["license"]) == (NAME, "mit")
    assert "datasets" not in metadata
    card = hub.store.repo(child).read("README.md").decode()
    assert f"fine-tuned from [{NAME}](https://huggingface.co/{NAME}) on pictures, 10 classes" in card
    assert "secret" not in card
    told = run_python(LOAD.replace("NAME", child).replace('"run"', '"child"'), hub, home).stdout
    assert json.loads(told[: told.index("]") + 1]) == [f"shade{label}" for label in range(10)]


@pytest.mark.slow
def test_a_hub_that_goes_away_does_not_end_a_training(hub: HubServer, home: Path) -> None:
    hub.faults.add("POST", "*/commit/*", unavailable, times=math.inf)
    hub.faults.add("POST", "*/preupload/*", unavailable)
    done = run_command(hub, home, *QUICK, "--epochs", 2, "--output", "run", *PUSH, NAME)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1].endswith(f"finish it with `timm-multimix push run {NAME}`")
    assert all(line.startswith("warning: ") for line in done.stderr.splitlines() if "upload" in line)
    assert hub.store.repo(NAME).titles() == ["initial commit"]

    hub.faults.clear()
    for _ in range(2):
        done = run_command(hub, home, "push", "run", NAME)
        assert done.returncode == 0, done.stderr
    assert len(hub.store.repo(NAME).titles()) == 2
    resumed = run_command(
        hub, home, *QUICK, "--epochs", 2, "--output", "run", "--resume", "auto", *PUSH, NAME
    )
    assert resumed.returncode == 0, resumed.stderr
    assert len(hub.store.repo(NAME).titles()) == 2


@pytest.mark.slow
def test_two_processes_publish_once(hub: HubServer, home: Path) -> None:
    argv = ("--epochs", 1, "--output", "run", *PUSH, NAME)
    done = run_command(hub, home, *QUICK, *argv, processes=2)
    assert done.returncode == 0, done.stderr
    assert len(hub.requests("POST", "/api/repos/create")) == len(hub.requests("POST", "*/commit/*")) == 1
    assert json.loads(hub.store.repo(NAME).read("record.json"))["summary"]["num_processes"] == 2
    failed = run_command(hub, home, *QUICK, *PUSH, "other/net", processes=2)
    assert failed.returncode != 0
    assert failed.stderr.count("error: cannot write to other/net") == 1


@pytest.mark.slow
def test_the_small_image_networks_with_transformers(hub: HubServer, home: Path) -> None:
    make_run(home / "made")
    code = """
import timm_multimix.models
import json, timm, torch
from timm_multimix.hub.card import make_card
from timm_multimix.hub.publish import publish_run
from timm_multimix.hub.target import open_repo
from pathlib import Path
from tests.finished_runs import make_run, make_model
import shutil
shutil.rmtree("made/model")
make_model(Path("made/model"), ["red", "green", "blue"], "wrn16_2_cifar")
open_repo("tester/net")
publish_run(Path("made"), "tester/net", tag=False)
"""
    run_python(code, hub, home)
    Image.new("RGB", (32, 32), (200, 0, 0)).save(home / "picture.png")
    card = hub.store.repo(NAME).read("README.md").decode()
    blocks = [part.partition("```")[0] for part in card.split("```python\n")[1:]]
    assert len(blocks) == 3
    for block in blocks:
        told = run_python(block, hub, home).stdout
        assert "red" in told or "num_classes=0" in block


@pytest.mark.slow
def test_the_examples_of_a_card_run(hub: HubServer, home: Path) -> None:
    make_run(home / "made")
    done = run_command(hub, home, "push", "made", NAME)
    assert done.returncode == 0, done.stderr
    Image.new("RGB", (32, 32), (200, 0, 0)).save(home / "picture.png")
    card = hub.store.repo(NAME).read("README.md").decode()
    blocks = [part.partition("```")[0] for part in card.split("```python\n")[1:]]
    told = run_python("\n".join(blocks), hub, home).stdout.splitlines()
    assert len(blocks) == 3
    assert told[0] in ("red", "green", "blue")
    assert told[0] == eval(told[1])[0]["label"]
