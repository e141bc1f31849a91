"""Mistakes around the Hub end in one line, before torch is loaded where words and paths show them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.fakehub.environment import hub_environment
from tests.fakehub.faults import Effect
from tests.fakehub.helpers import NAME
from tests.fakehub.messages import Proceed, Request, Response, refuse
from tests.fakehub.server import OTHER_TOKEN, TOKEN, HubServer
from tests.fakehub.store import HubError
from tests.finished_runs import make_model, make_run, run_command
from timm_multimix.connection.names import parse_repo_id
from timm_multimix.data.hub import load_from_hub
from timm_multimix.dataset_names import HubName
from timm_multimix.errors import UsageError
from timm_multimix.hub.target import open_repo
from timm_multimix.modeling.pretrained import check_pretrained
from timm_multimix.options.licenses import known_licenses, parse_license


@pytest.mark.parametrize(
    ("text", "license"),
    [
        ("mit", "mit"),
        ("MIT", "mit"),
        ("Apache-2.0", "apache-2.0"),
        ("Apache 2.0", "apache-2.0"),
        ("cc_by_4.0", "cc-by-4.0"),
        (" bsd 3 clause ", "bsd-3-clause"),
        ("other", "other"),
    ],
)
def test_licences(text: str, license: str) -> None:
    assert parse_license(text) == license


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("apache2.0", "apache-2.0"),
        ("apache", "apache-2.0"),
        ("cc-by-40", "cc-by-4.0"),
        ("gplv3", "gpl"),
        ("mitt", "mit"),
    ],
)
def test_the_nearest_licence(text: str, near: str) -> None:
    with pytest.raises(UsageError, match=f"got '{text}'; did you mean {near}"):
        parse_license(text)


@pytest.mark.parametrize("text", ["", "no such thing at all", "€", "x" * 200])
def test_no_licence(text: str) -> None:
    with pytest.raises(UsageError, match="a licence must be one that the Hub knows") as caught:
        parse_license(text)
    assert "did you mean" not in str(caught.value)


def test_every_licence_names_itself() -> None:
    assert {parse_license(name) for name in known_licenses()} == known_licenses()
    assert {"apache-2.0", "mit", "cc-by-nc-sa-4.0", "openrail++", "other"} <= known_licenses()


@pytest.mark.parametrize(
    "text",
    [
        "me/name",
        " me/name ",
        "https://huggingface.co/me/name",
        "http://huggingface.co/me/name/",
        "huggingface.co/me/name",
        "https://hf.co/me/name",
        "https://huggingface.co/me/name/tree/main",
        "https://huggingface.co/me/name/blob/main/README.md?x=1#y",
        "https://hub.example/me/name",
    ],
)
def test_addresses_of_a_repository(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    assert parse_repo_id(text) == "me/name"


@pytest.mark.parametrize(
    "text",
    [
        "https://huggingface.co/me",
        "https://huggingface.co/",
        "https://huggingface.co/datasets/me/name",
        "https://huggingface.co/spaces/me/name",
        "https://elsewhere.example/me/name",
        "me",
        "hf-hub:me/name",
    ],
)
def test_addresses_of_something_else(text: str) -> None:
    with pytest.raises(UsageError, match="must be USER/NAME"):
        parse_repo_id(text)


# before torch is loaded


EARLY = {
    "push nowhere me/x": "nowhere is not a run's directory",
    "push unfinished me/x": "not finished",
    "push run me": "must be USER/NAME",
    "push run https://huggingface.co/datasets/me/x": "must be USER/NAME",
    "push run me/x --license mitt": "did you mean mit?",
    "push run me/x --timeout 0": "--timeout",
    "push run me/x --dry-run run": "exists",
    "push run me/x": "no token",
    "train --push-to-hub": "--hub-model-id USER/NAME",
    "train --push-to-hub --hub-model-id me": "must be USER/NAME",
    "train --push-to-hub --hub-model-id me/x --hub-license Apache3": "did you mean apache-2.0?",
    "train --push-to-hub --hub-model-id me/x --hub-timeout -1": "--hub-timeout",
    "train --hub-overwrite": "--push-to-hub",
}
"""Command lines, and what is said of each."""

TELL_ALL = """
import contextlib, io, json, sys
from timm_multimix import cli

found = {}
for words in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        status = cli.main(words.split())
    found[words] = [status, said.getvalue()]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def told_early(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Status and stderr of each command line, from a process that ends if torch is imported."""
    directory = tmp_path_factory.mktemp("early")
    for name, files in {"run": ("config.yaml", "summary.json"), "unfinished": ("config.yaml",)}.items():
        (directory / name).mkdir()
        for file in files:
            (directory / name / file).touch()
    (directory / "first/torch").mkdir(parents=True)
    (directory / "first/torch/__init__.py").write_text("raise SystemExit('torch is loaded')")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    path = os.pathsep.join([str(directory / "first"), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", TELL_ALL, json.dumps(list(EARLY))],
        env=kept | {"PYTHONPATH": path, "HF_HOME": str(directory / "home")},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("words", EARLY)
def test_before_torch_is_loaded(words: str, told_early: dict[str, tuple[int, str]]) -> None:
    status, said = told_early[words]
    assert (status, said.count("\n")) == (2, 1), said
    assert EARLY[words] in said


# refusals


def refusing(status: int, message: str, code: str = "") -> Effect:
    def effect(request: Request, proceed: Proceed) -> Response:
        return refuse(HubError(status, message, code))

    return effect


INVALID = "Invalid credentials in Authorization header"
EXPIRED = 'User Access Token "mine" is expired'


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (refusing(401, INVALID), "the token is not valid"),
        (refusing(401, "Invalid username or password."), "the token is not valid"),
        (refusing(401, EXPIRED), "the token has expired"),
        (
            refusing(403, "Forbidden: this token only reads"),
            "Forbidden: this token only reads",
        ),
        (refusing(403, "Access to it is restricted", "GatedRepo"), "gated: ask for access"),
    ],
)
def test_refusals(
    connected: HubServer, monkeypatch: pytest.MonkeyPatch, effect: Effect, said: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    connected.faults.add("*", "/*/*", effect, times=1000)
    for action in (
        lambda: open_repo(NAME),
        lambda: check_pretrained(f"hf-hub:{NAME}"),
        lambda: load_from_hub(HubName("tester/data")),
    ):
        with pytest.raises(UsageError, match=said) as caught:
            action()
        assert "\n" not in str(caught.value)
        assert "Error" not in str(caught.value)
        assert TOKEN not in str(caught.value)


def test_a_private_repository_without_a_token(connected: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", OTHER_TOKEN)
    connected.store.create(NAME, private=True)
    with pytest.raises(UsageError, match="not on the Hub, or private"):
        check_pretrained(f"hf-hub:{NAME}")
    connected.faults.add("*", "*", refusing(401, "Invalid username or password."), times=1000)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", "/nowhere")
    with pytest.raises(UsageError, match=r"a token is required|not on the Hub"):
        check_pretrained(f"hf-hub:{NAME}")


# names in other encodings, and outputs that take no others


def run_bytes(
    hub: HubServer, directory: Path, *argv: bytes, **more: str
) -> subprocess.CompletedProcess[bytes]:
    environment = hub_environment(hub, directory / "home") | {"PYTHONIOENCODING": "ascii:strict"} | more
    command = [os.fsencode(sys.executable), b"-m", b"timm_multimix", *argv]
    return subprocess.run(command, env=environment, cwd=directory, capture_output=True, timeout=120)


def test_an_output_that_takes_no_others() -> None:
    code = "from timm_multimix import cli\n"
    code += "cli._run = lambda argv: print('\\udcff', '\\u20ac') or 0\ncli.run_process()"
    for encoding, said in {"ascii:strict": rb"\udcff \u20ac", "utf-8:strict": "\\udcff €".encode()}.items():
        environment = os.environ | {"PYTHONIOENCODING": encoding}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=60)
        assert (done.returncode, done.stdout.strip()) == (0, said), done.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="names of files are Unicode elsewhere")
def test_names_outside_utf8(hub: HubServer, tmp_path: Path) -> None:
    made = tmp_path / "made"
    make_run(made, ["gr\udcfcn", "Größe", "blue"])
    run = os.fsencode(tmp_path) + b"/l\xe4uft \xff"
    os.rename(os.fsencode(made), run)
    done = run_bytes(hub, tmp_path, b"push", run, NAME.encode())
    assert done.returncode == 0, done.stderr
    assert rb"l\udce4uft \udcff, commit" in done.stdout
    card = hub.store.repo(NAME).read("README.md").decode()
    assert "Größe" in card
    again = run_bytes(hub, tmp_path, b"push", run, NAME.encode())
    assert again.returncode == 0, again.stderr
    assert len(hub.store.repo(NAME).titles()) == 2

    image = os.fsencode(tmp_path) + b"/\xff\xe9.png"
    Image.new("RGB", (32, 32)).save(tmp_path / "image.png")
    os.rename(tmp_path / "image.png", image)
    broken = os.fsencode(tmp_path) + b"/\xff-broken.png"
    Path(os.fsdecode(broken)).write_bytes(b"no image")
    os.rename(run, os.fsencode(made))  # safetensors opens no weights below a name outside UTF-8
    told = run_bytes(hub, tmp_path, b"predict", os.fsencode(made), image, broken)
    assert told.returncode == 2
    assert rb"\udcff\udce9.png" in told.stdout
    assert rb"gr\udcfcn" in told.stdout
    assert rb"Gr\xf6\xdfe" in told.stdout
    assert told.stderr.startswith(b"error: ")
    assert told.stderr.count(b"\n") == 1


# what a card promises


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "channels", "works"),
    [
        ("test_resnet", 3, True),
        ("test_resnet", 1, False),
        ("test_vit", 4, False),
        ("wrn16_2_cifar", 3, False),
    ],
)
def test_the_transformers_tag_is_only_for_models_that_its_pipeline_loads(
    hub: HubServer, tmp_path: Path, architecture: str, channels: int, works: bool
) -> None:
    make_run(tmp_path / "run")
    for path in (tmp_path / "run/model").iterdir():
        path.unlink()
    (tmp_path / "run/model").rmdir()
    make_model(tmp_path / "run/model", ["red", "green", "blue"], architecture, channels=channels)
    done = run_command(hub, tmp_path, "push", "run", NAME)
    assert done.returncode == 0, done.stderr
    card = hub.store.repo(NAME).read("README.md").decode()
    assert ("\n- transformers\n" in card) == works
    Image.new("RGB", (32, 32)).save(tmp_path / "image.png")
    code = "from transformers import pipeline\n"
    code += "print(pipeline('image-classification', model='run/model')('image.png')[0]['label'])"
    asked = subprocess.run(
        [sys.executable, "-c", code],
        env=hub_environment(hub, tmp_path / "home"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert (asked.returncode == 0) == works, asked.stderr
