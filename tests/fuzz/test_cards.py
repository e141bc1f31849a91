"""Fuzzing of records: every card is valid, and every run's directory is read or refused."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.fakehub.cards import check_card
from tests.finished_runs import make_run, run_record
from tests.hub.test_card import NAME, NASTY, change, metadata, structure, tokens
from timm_multimix.comparison.collect import read_run as read_compared
from timm_multimix.dataset_names import is_hub_id
from timm_multimix.hub.card import cells, make_card
from timm_multimix.hub.merge import BEGIN, END
from timm_multimix.hub.record import Record, dump, read_run
from timm_multimix.markdown import block, code, escape

from .effort import names, tries, value_or_refusal
from .texts import HOSTILE, hostile, spoiled

MARKUP = [
    *NASTY.values(),
    "<!-- -->",
    "[a]: b",
    "<http://a.b>",
    "&#60;b&#62;",
    "a\\",
    "\t\tcode",
    "***",
    "[^1]: x",
]
TEXTS = st.sampled_from(MARKUP) | spoiled([text for text in MARKUP if len(text) < 500]) | hostile()


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return run_record(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def ordinary(record: Record) -> tuple[list[str], set[str]]:
    """Structure and metadata of the card of plain words."""
    card = make_card(change(record, "plain words"), NAME)
    return structure(card), set(metadata(card))


@tries("cards")
@given(text=TEXTS)
def test_hostile_names_never_become_markup(
    record: Record, ordinary: tuple[list[str], set[str]], text: str
) -> None:
    assume(not is_hub_id(text))  # which would be a link, as it is meant to be
    made = change(record, text)
    card = value_or_refusal(lambda: make_card(made, NAME))
    assert card is not None
    html = [token.content.strip() for token in tokens(card) if token.type.startswith("html")]
    assert html == [BEGIN, END]
    assert (structure(card), set(metadata(card))) == ordinary
    assert check_card(card) == ([], [])
    assert json.loads(dump(made))["summary"]["mix"] == text


@tries("escaped texts")
@given(text=TEXTS)
def test_escaped_texts_are_texts(text: str) -> None:
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    kinds = {token.type for token in reader.parseInline(f"a {escape(text)} b")[0].children or []}
    assert kinds <= {"text", "text_special"}
    assert [t.type for t in reader.parseInline(f"a {code(text)} b")[0].children or []].count(
        "code_inline"
    ) == 1
    assert [token.type for token in reader.parse(block(text))] == ["fence"]
    row = reader.parse(f"| a | b |\n|---|---|\n| {cells([text, 'x'])} |\n")
    assert [token.type for token in row].count("td_open") == 2


@pytest.fixture(scope="module")
def run() -> Iterator[Path]:
    """A finished run's directory in a directory of its own."""
    with tempfile.TemporaryDirectory() as place:
        make_run(Path(place) / "good")
        yield Path(place)


FILES = ["summary.json", "config.yaml", "metrics.csv", "model/config.json", "evaluation.json"]
VALUES = st.sampled_from([None, True, -1, 1e308, float("nan"), [], {}, [[]], {"a": {}}, "", *HOSTILE])


@st.composite
def damage(draw: st.DrawFn, text: str) -> str:
    """The text with pieces changed or, of JSON, entries."""
    if not text.startswith("{") or draw(st.booleans()):
        return draw(spoiled([text]))
    content = json.loads(text)
    for name in draw(st.lists(st.sampled_from(sorted(content)), min_size=1, max_size=2)):
        content[name] = draw(VALUES)
    return json.dumps(draw(VALUES) if draw(st.integers(0, 9)) == 0 else content)


@tries("run directories")
@given(data=st.data(), name=st.sampled_from(FILES))
def test_damaged_directories_are_read_or_refused(run: Path, data: st.DataObject, name: str) -> None:
    good, bad = run / "good", run / "bad"
    shutil.copytree(good, bad, dirs_exist_ok=True)
    before = (good / name).read_text() if (good / name).is_file() else '{"model": {"sha256": ""}}'
    text = data.draw(damage(before))
    (bad / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    there = names(run)
    for read in (read_run, read_compared):
        found: Any = value_or_refusal(lambda read=read: read(bad))  # type: ignore[misc]
        if read is read_run and found is not None:
            value_or_refusal(lambda found=found: dump(found[0]))  # type: ignore[misc]
    assert names(run) == there
    (bad / name).unlink()
