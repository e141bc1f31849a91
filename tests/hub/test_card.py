"""A card agrees with its record, and escapes users' texts."""

import json
import math
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.fakehub.cards import check_card, front_matter
from tests.finished_runs import COLOURS, MIX, run_record
from timm_multimix.hub.card import make_card
from timm_multimix.hub.merge import BEGIN, END
from timm_multimix.hub.record import Record, dump
from timm_multimix.options import parse_train_options

NAME = "tester/net"

NASTY = {
    "front matter": "a\n---\nlicense: mit\n---\n# injected",
    "key": "x\nlicense: mit",
    "yaml": "&a *b !!python/object: {x: [1, 2",
    "html": '<script>alert(1)</script><img src=x onerror="y"> &lt;',
    "link": "[click](javascript:alert(1)) ![p](https://evil.example/p.png) https://evil.example <a@b.c>",
    "table": "a | b | c\n|---|---|",
    "code": "``` `` `x` ~~~",
    "template": "{{ summary }} {% for x in y %} ${x} {# no #}",
    "heading": "# one\n## two\n- three\n> four\n1. five",
    "stress": "*a* _b_ **c** __d__ ~e~ \\ \\* $x$ @everyone",
    "invisible": "a\u202eb\u200bc\x00d\re\u2028f",
    "long": "word " * 2000,
    "empty": "",
}


def metadata(card: str) -> dict[str, Any]:
    return yaml.safe_load(front_matter(card) or "")


def body(card: str) -> str:
    return card.split("\n---\n", 1)[1]


def tokens(card: str) -> list[Token]:
    """The card as a Markdown reader understands it, with tables and HTML."""
    found = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").parse(body(card))
    return [token for outer in found for token in [outer, *(outer.children or [])]]


def structure(card: str) -> list[str]:
    """Kinds of tokens but texts, with the targets of links and images."""
    plain = ("text", "softbreak", "text_special")
    return [f"{t.type} {t.attrs}" for t in tokens(card) if t.type not in plain]


def shown(card: str) -> str:
    return "".join(token.content for token in tokens(card) if token.type in ("text", "text_special"))


def change(record: Record, text: str) -> Record:
    """The record with a text in every field that a user may fill."""
    made = json.loads(json.dumps(record))
    made["summary"] |= {
        "dataset": text,
        "mix": text,
        "base_model": text or "plain words",
        "evaluation_split": text,
        "train_split": text,
        "hardware": text,
        "mixed_precision": text,
    }
    made["summary"]["versions"]["timm"] = text
    made["model"]["label_names"] = [text, "green", text]
    made["model"]["architecture"] = text
    made["options"] |= {"distill": 0.5, "distill_teacher": text}
    return made


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return run_record(tmp_path_factory.mktemp("runs") / "run")


@pytest.mark.parametrize(("teacher", "kind"), [("ema", "Self-distillation"), ("resnet18", "Distillation")])
def test_a_teacher_is_called_what_it_is(teacher: str, kind: str, record: Record) -> None:
    made = json.loads(json.dumps(record))
    made["options"] |= {"distill": 0.5, "distill_teacher": teacher}
    assert f"- **{kind}:** 0.5 of the targets" in make_card(made, NAME)


def test_metadata_of_an_ordinary_run(record: Record) -> None:
    found = metadata(make_card(record, NAME))
    assert found.pop("model-index") == [
        {
            "name": "net",
            "results": [
                {
                    "task": {"type": "image-classification", "name": "Image Classification"},
                    "dataset": {"name": "pictures", "type": "pictures", "split": "val"},
                    "metrics": [{"type": "accuracy", "value": 0.6, "name": "Top-1 accuracy"}],
                }
            ],
        }
    ]
    assert found == {
        "library_name": "timm",
        "pipeline_tag": "image-classification",
        "metrics": ["accuracy"],
        "tags": ["image-classification", "timm", "transformers", "timm_multimix", "multimix", "mixup"],
    }


def test_the_text_of_an_ordinary_run(record: Record) -> None:
    text = body(make_card(record, NAME))
    for said in (
        "trained on pictures, 3 classes at 32 x 32 pixels",
        f"`{MIX}`",
        "[arXiv:2311.05538](https://arxiv.org/abs/2311.05538)",
        'timm.create_model("hf-hub:tester/net", pretrained=True)',
        'pipeline("image-classification", model="tester/net")',
        "num_classes=0",
        "| raw | 60.00 % | 0.3333 | 60.00 % (epoch 2) |",
        "split val, each counted once",
        "![Loss and accuracy by epoch](curves.png)",
        f"train.py --mix '{MIX}' --dataset pictures --epochs 3",
        "**Seed:** 42",
        "red, green, blue",
        "no licence was chosen",
        "@inproceedings{venkataramanan2023embedding",
        "@inproceedings{zhang2018mixup,\n  title     = {mixup: Beyond Empirical Risk Minimization},\n",
    ):
        assert said in text
    for unsaid in ("import timm_multimix", "Training goes on", "optimistic", "fine-tuned", "/data"):
        assert unsaid not in text


def test_the_command_in_a_card_can_be_run(record: Record) -> None:
    command = record["summary"]["command"]
    assert parse_train_options(shlex.split(command)[1:]).mixing.mix == MIX


def test_a_card_depends_on_the_published_record_only(record: Record) -> None:
    assert make_card(json.loads(dump(record)), NAME) == make_card(record, NAME)


@pytest.mark.parametrize("text", NASTY.values(), ids=list(NASTY))
def test_texts_stay_texts(record: Record, text: str) -> None:
    plain, nasty = (make_card(change(record, word), NAME) for word in ("plain words", text))
    assert structure(nasty) == structure(plain)
    html = [token.content.strip() for token in tokens(nasty) if token.type.startswith("html")]
    assert html == [BEGIN, END]
    found, expected = metadata(nasty), metadata(plain)
    assert found.keys() == expected.keys()
    assert "license" not in found
    assert check_card(nasty) == ([], [])
    assert ModelCard(nasty).data.to_dict() == found
    words = "".join(c if c.isprintable() else " " for c in text).split()
    assert " ".join(words) in shown(nasty)


def test_a_nasty_command_stays_in_its_block(record: Record) -> None:
    evil = "train.py --mix '```\n# injected\n<script>'"
    made = record | {"summary": record["summary"] | {"command": evil}}
    assert structure(make_card(made, NAME)) == structure(make_card(record, NAME))
    assert [t.content for t in tokens(make_card(made, NAME)) if t.info == "shell"] == [evil + "\n"]


def test_numbers_that_are_not_finite(record: Record) -> None:
    made = json.loads(json.dumps(record))
    made["published"]["top1"] = made["summary"]["results"]["raw"]["loss"] = math.nan
    for told in (made, json.loads(dump(made))):
        card = make_card(told, NAME)
        assert "model-index" not in metadata(card)
        assert not re.search(r"\bnan\b", card, re.IGNORECASE)
        assert "| raw | 60.00 % | - |" in card


def test_a_licence_is_stated_only_if_chosen(tmp_path: Path) -> None:
    record = run_record(tmp_path / "run")
    record["model"]["license"] = "cc-by-4.0"
    card = make_card(record, NAME)
    assert metadata(card)["license"] == "cc-by-4.0"
    assert "Weights: cc-by-4.0." in card


def test_ids_of_the_hub(tmp_path: Path) -> None:
    known = {"dataset": "some/data", "dataset_kind": "hub", "base_model": "timm/resnet18.a1_in1k"}
    card = make_card(run_record(tmp_path / "run", **known), NAME)
    found = metadata(card)
    assert (found["datasets"], found["base_model"]) == (["some/data"], "timm/resnet18.a1_in1k")
    assert "fine-tuned from [timm/resnet18.a1_in1k](https://huggingface.co/timm/resnet18.a1_in1k)" in card
    assert "on [some/data](https://huggingface.co/datasets/some/data)" in card


def test_a_directory_is_no_dataset_of_the_hub(tmp_path: Path) -> None:
    assert "datasets" not in metadata(make_card(run_record(tmp_path / "run", dataset="some/data"), NAME))


def test_best_on_a_test_split_and_averaged_weights(tmp_path: Path) -> None:
    record = run_record(tmp_path / "run", evaluation_split="test", best_chosen_on_test_split=True)
    ema = {"loss": 0.1, "top1": 50.0, "top5": 100.0, "samples": 13}
    record["summary"]["results"]["ema"] = ema
    for row in record["metrics"]:
        row["ema_top1"] = 50.0
    text = make_card(record, NAME)
    assert "| moving average | 50.00 % | 0.1000 | 50.00 % (epoch 1) |" in text
    assert "optimistic" in text


@pytest.mark.parametrize("architecture", ["wrn16_2_cifar", "preact_resnet18_cifar"])
def test_own_networks_need_an_import(record: Record, architecture: str) -> None:
    made = record | {"model": record["model"] | {"architecture": architecture}}
    text = make_card(made, NAME)
    assert "**`import timm_multimix.models` comes first**" in text
    assert text.count("\nimport timm_multimix.models\n") == 3


def test_the_card_of_a_continued_run_names_its_parent(record: Record) -> None:
    made = record | {"metrics": record["metrics"][:2], "published": record["published"] | {"epoch": 2}}
    assert "**Training goes on**: this is epoch 2, the best of the first 2 of 3." in make_card(made, NAME)


def test_many_classes_are_cut_short(tmp_path: Path) -> None:
    text = make_card(run_record(tmp_path / "run", [f"c{i}" for i in range(30)]), NAME)
    assert "c19 and 10 more" in text
    assert "top-5, last epoch" in text
    assert len(COLOURS) <= 5


def test_skipped_images_are_reported(tmp_path: Path) -> None:
    assert "left out" not in make_card(run_record(tmp_path / "none", skipped_samples=0), NAME)
    card = make_card(run_record(tmp_path / "some", skipped_samples=3), NAME)
    assert "44 images; 3 broken images of training and evaluation were left out" in card
