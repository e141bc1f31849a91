"""Edits on the Hub survive pushes, or the push is refused with a reason."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fakehub.cards import check_card, front_matter
from tests.fakehub.faults import somebody_commits
from tests.fakehub.helpers import NAME
from tests.fakehub.server import HubServer
from tests.fakehub.store import Repo
from tests.finished_runs import make_model, make_run
from timm_multimix import cli
from timm_multimix.errors import UsageError
from timm_multimix.hub.merge import BEGIN, END, Conflict, Parts, fingerprint, join, merge, split
from timm_multimix.hub.publish import publish_run
from timm_multimix.hub.remote import WouldOverwrite, merge_text, published_record, seal
from timm_multimix.hub.target import open_repo
from timm_multimix.hub.upload import Uploader

pytestmark = pytest.mark.usefixtures("as_tester")

SECTION = "\n## My own words\n\nMeasured on *my* data: 93 %.\n"
OLD = {"license": "mit", "tags": ["timm", "mixup"], "metrics": ["accuracy"]}
NEW = {"tags": ["timm", "cutmix"], "metrics": ["accuracy"], "datasets": ["me/data"]}


def push_card(text: str, record: Any, front: dict[str, Any], body: str, overwrite: bool = False) -> str:
    """The README after a push of a card of this metadata and text."""
    return merge_text(text, record, front, lambda merged: body, overwrite)[0]


def pushed(front: dict[str, Any], body: str) -> dict[str, Any]:
    """The record of the push of such a card."""
    return {"generated": {"metadata": front, "body": fingerprint(body)}}


# the card as a text

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",), exclude_characters="\r\ufeff"), max_size=200
).filter(lambda text: "timm_multimix" not in text and not text.lstrip().startswith("---"))
KEYS = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True).filter(lambda key: key not in {**OLD, **NEW})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii"), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(above=WORDS, below=WORDS, extra=st.dictionaries(KEYS, VALUES, max_size=3), comment=KEYS)
@example(above="", below="```\nnever closed\n", extra={}, comment="x")
@example(
    above="| a | b |", below="\n---\nlicense: gpl\n---\n", extra={"widget": [{"text": "a # b"}]}, comment="x"
)
def test_text_around_the_generated_part_survives_two_pushes(
    above: str, below: str, extra: dict[str, Any], comment: str
) -> None:
    first = split(push_card("", None, OLD, "# Old"))
    front = f"# {comment}\n{first.front}" + (yaml.safe_dump(extra) if extra else "")
    edited = join(front, Parts(None, f"{above}\n", "", below), "# Old")
    second = push_card(edited, pushed(OLD, "# Old"), NEW, "# New")
    third = push_card(second, pushed(NEW, "# New"), NEW, "# New")
    assert third == second
    parts = split(third)
    assert (parts.above, parts.generated, parts.below) == (f"{above}\n", "# New\n", below)
    assert (parts.front or "").startswith(f"# {comment}\n")
    found = yaml.safe_load(parts.front or "")
    assert found.items() >= json.loads(json.dumps(extra)).items()
    assert found["tags"] == ["timm", "cutmix"]
    assert "license" not in found  # it was ours, and is chosen no more


@settings(max_examples=60, deadline=None)
@given(text=WORDS)
def test_a_readme_without_marks_is_kept(text: str) -> None:
    second = push_card(push_card(text, None, OLD, "# Old"), pushed(OLD, "# Old"), NEW, "# New")
    assert split(second).above.strip() == text.strip()
    assert second.count(BEGIN) == second.count(END) == 1


@settings(max_examples=60, deadline=None)
@given(words=WORDS.filter(str.strip))
def test_nothing_written_inside_is_lost(words: str) -> None:
    edited = push_card("", None, OLD, "# Old").replace(END, f"{words}\n{END}")
    with pytest.raises(Conflict, match="edited between the marks"):
        push_card(edited, pushed(OLD, "# Old"), NEW, "# New")
    assert (
        words.strip() not in push_card(edited, pushed(OLD, "# Old"), NEW, "# New", overwrite=True)
        or len(words) < 60
    )


@pytest.mark.parametrize(
    "spoil", [(END, ""), (BEGIN, ""), (END, f"{END}\n{END}"), (BEGIN, f"{BEGIN}\n{BEGIN}")]
)
def test_damaged_marks(spoil: tuple[str, str]) -> None:
    with pytest.raises(Conflict, match="two marks"):
        split(push_card("", None, OLD, "# Old").replace(*spoil))


def test_line_ends_of_another_editor_are_no_edit() -> None:
    edited = push_card("", None, OLD, "# Old\n\ntext").replace("\n", "\r\n") + "mine\r\n"
    assert push_card(edited, pushed(OLD, "# Old\n\ntext"), NEW, "# New").endswith("mine\r\n")


def test_a_mark_in_users_words_is_none() -> None:
    from timm_multimix.hub.merge import without_marks

    assert split(push_card("", None, OLD, without_marks(f"# Old\n{END}\n{BEGIN}\nmore"))).below == ""


# metadata


@pytest.mark.parametrize(
    ("base", "theirs", "mine", "merged"),
    [
        (1, 1, 2, 2),
        (1, 2, 1, 2),
        (1, 2, 2, 2),
        (["a"], ["a", "p"], ["b"], ["p", "b"]),
        (["a", "b"], ["b"], ["a", "b", "c"], ["b", "c"]),
        ({"x": 1}, {"x": 1, "p": 2}, {"x": 3}, {"x": 3, "p": 2}),
        (
            [{"name": "n", "results": [1]}],
            [{"name": "n", "results": [1, 7]}],
            [{"name": "n", "results": [2]}],
            [{"name": "n", "results": [7, 2]}],
        ),
    ],
)
def test_both_sides_are_kept(base: Any, theirs: Any, mine: Any, merged: Any) -> None:
    assert merge("entry", base, theirs, mine) == merged


def test_two_values_of_one_entry_are_a_conflict() -> None:
    with pytest.raises(Conflict, match=r"license .* was changed on the Hub to 'mit'"):
        merge("license", None, "mit", "gpl")
    assert merge("license", None, "mit", "gpl", mine_wins=True) == "gpl"


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("a: [1", "not valid YAML"),
        ("- a\n- b", "not a mapping"),
        ("tags: [timm, mixup]  # ask Ann first", "tags .* has a comment"),
        ("{tags: [timm, mixup], mine: 1}", "cannot be merged"),
        ("a: 1\na: 2", "key twice"),
    ],
)
def test_metadata_that_cannot_be_merged(front: str, said: str) -> None:
    text = join(front, Parts(None, "", None, ""), "# Old")
    with pytest.raises(Conflict, match=said):
        push_card(text, pushed(OLD, "# Old"), NEW, "# New")
    assert push_card("", None, NEW, "# New") == push_card("", None, NEW, "# New", overwrite=True)


# on the Hub


@pytest.fixture
def run(tmp_path: Path) -> Path:
    make_run(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def repo(connected: HubServer, run: Path) -> Repo:
    """A repository to which a run was pushed."""
    assert cli.main(["push", str(run), NAME]) == 0
    return connected.store.repo(NAME)


def edit(repo: Repo, name: str, old: str, new: str) -> bytes:
    """A person's commit."""
    text = repo.read(name).decode()
    assert old in text
    repo.commit({name: text.replace(old, new, 1).encode()}, "by hand")
    return repo.read(name)


def retrain(run: Path, **changes: Any) -> None:
    """The run with another result."""
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"train_seconds": 1000.0} | changes))


def metadata(repo: Repo) -> dict[str, Any]:
    card = repo.read("README.md").decode()
    assert check_card(card) == ([], [])
    return yaml.safe_load(front_matter(card) or "")


def refused(capsys: pytest.CaptureFixture[str], run: Path, *said: str) -> None:
    """A push of the run is refused in one line, and succeeds with --overwrite."""
    capsys.readouterr()
    assert cli.main(["push", str(run), NAME]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(words in error for words in (*said, "push --overwrite"))
    assert cli.main(["push", str(run), NAME, "--overwrite"]) == 0


def test_a_section_of_ones_own_outlives_two_pushes(repo: Repo, run: Path) -> None:
    repo.commit({"README.md": repo.read("README.md") + SECTION.encode()}, "by hand")
    edit(repo, "README.md", f"\n{BEGIN}", f"\nRead the end first.\n\n{BEGIN}")
    for seconds in (1000.0, 2000.0):
        retrain(run, train_seconds=seconds)
        assert cli.main(["push", str(run), NAME]) == 0
        card = repo.read("README.md").decode()
        assert card.endswith(SECTION)
        assert "---\n\nRead the end first.\n\n<!--" in card
        assert f"{seconds / 60:.1f} minutes" in card
    head = repo.head()
    assert cli.main(["push", str(run), NAME]) == 0
    assert repo.head() == head


def test_a_licence_and_tags_chosen_on_the_hub(
    repo: Repo, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(repo, "README.md", "---\n", "---\n# chosen by Ann\nlicense: mit\n")
    edit(repo, "README.md", "- timm\n", "- timm\n- birds\n")
    retrain(run)
    assert cli.main(["push", str(run), NAME]) == 0
    found, card = metadata(repo), repo.read("README.md").decode()
    assert (found["license"], "birds" in found["tags"], "multimix" in found["tags"]) == ("mit", True, True)
    assert "# chosen by Ann\n" in card
    assert "Weights: mit." in card
    capsys.readouterr()
    assert cli.main(["push", str(run), NAME, "--license", "gpl-3.0"]) == 2
    assert "license in the metadata of README.md was changed on the Hub to 'mit'" in capsys.readouterr().err
    assert metadata(repo)["license"] == "mit"


def test_an_edit_inside_the_generated_text(repo: Repo, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(repo, "README.md", "## Limits", "## Limits\n\nNot for birds of prey.\n")
    repo.commit({"README.md": repo.read("README.md") + SECTION.encode()}, "by hand")
    retrain(run)
    refused(capsys, run, "README.md was edited between the marks")
    card = repo.read("README.md").decode()
    assert "birds of prey" not in card
    assert card.endswith(SECTION)


@pytest.mark.parametrize("name", ["config.json", "curves.png", "record.json", "model.safetensors"])
def test_an_edited_file(repo: Repo, run: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    repo.commit({name: repo.read(name).replace(b"e", b"f", 3) + b" "}, "by hand")
    before = repo.read(name)
    retrain(run)
    refused(capsys, run, NAME)
    assert repo.read(name) != before


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": b"# Theirs\n", "config.json": b'{"architecture": "vit"}'},
        {"README.md": b"# Theirs\n", "pytorch_model.bin": b"weights"},
        {"record.json": b"{}"},
        {"record.json": b'{"generated": []}'},
    ],
)
def test_another_packages_model(
    connected: HubServer, run: Path, capsys: pytest.CaptureFixture[str], files: dict[str, bytes]
) -> None:
    repo = connected.store.create(NAME)
    repo.commit(files, "theirs")
    head = repo.head()
    with pytest.raises(WouldOverwrite, match="did not publish"):
        open_repo(NAME, architecture="test_resnet")
    assert repo.head() == head
    refused(capsys, run, "that timm_multimix did not publish")
    assert b"# Theirs" not in repo.read("README.md")
    retrain(run)
    assert cli.main(["push", str(run), NAME]) == 0  # now it is ours


def test_another_architecture(repo: Repo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    make_run(other)
    for path in (other / "model").iterdir():
        path.unlink()
    (other / "model").rmdir()
    make_model(other / "model", ["red", "green", "blue"], "test_vit")
    refused(capsys, other, "holds a test_resnet, this run has trained a test_vit")
    assert json.loads(repo.read("config.json"))["architecture"] == "test_vit"


def test_a_repository_with_a_readme_only(connected: HubServer, run: Path) -> None:
    repo = connected.store.create(NAME)
    repo.commit({"README.md": b"---\nlicense: mit\nmine: 1\n---\n# Soon here\n"}, "made on the website")
    assert cli.main(["push", str(run), NAME]) == 0
    card = repo.read("README.md").decode()
    assert "---\n# Soon here\n\n<!--" in card
    assert metadata(repo).items() >= {"license": "mit", "mine": 1, "library_name": "timm"}.items()


def test_an_edit_between_a_look_and_a_commit(connected: HubServer, repo: Repo, run: Path) -> None:
    theirs = repo.read("README.md") + SECTION.encode()
    connected.faults.add("POST", "*/commit/*", somebody_commits("README.md", theirs))
    retrain(run)
    assert cli.main(["push", str(run), NAME]) == 0
    assert repo.read("README.md").decode().endswith(SECTION)


def test_a_readme_that_is_no_text(repo: Repo, run: Path) -> None:
    repo.commit({"README.md": b"\xff\xfe mine"}, "by hand")
    retrain(run)
    with pytest.raises(WouldOverwrite, match="not UTF-8 text"):
        publish_run(run, NAME, tag=False)
    assert repo.read("README.md") == b"\xff\xfe mine"


def test_in_a_training_a_refused_upload_is_a_warning(
    repo: Repo, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = edit(repo, "README.md", "## Limits", "## Limits\n\nNot for birds of prey.\n")
    retrain(run)
    capsys.readouterr()
    Uploader(run, NAME).finish()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"warning: upload to {NAME}: result is not there yet, ")
    assert "README.md was edited" in lines[0]
    assert lines[1].endswith(f"finish it with `timm-multimix push {run} {NAME}`")
    assert repo.read("README.md") == theirs


def test_a_tag_that_the_package_did_not_make(
    connected: HubServer, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = connected.store.create(NAME)
    first = repo.head()
    repo.update(tags={"epoch-3": first})
    assert cli.main(["push", str(run), NAME, "--tag-epoch"]) == 2
    assert "the tag epoch-3" in capsys.readouterr().err
    assert repo.state()["tags"] == {"epoch-3": first}
    assert cli.main(["push", str(run), NAME, "--tag-epoch", "--overwrite"]) == 0
    ours = repo.state()["tags"]["epoch-3"]
    retrain(run)
    assert cli.main(["push", str(run), NAME, "--tag-epoch"]) == 0  # one of ours is moved
    assert repo.state()["tags"]["epoch-3"] not in (first, ours)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"generated": {}}', b'{"generated": 1}', b"[" * 5000]
)
def test_records_that_are_none(content: bytes) -> None:
    assert published_record(content) is None


def test_a_record_that_was_edited_is_none() -> None:
    sealed = seal({"model": {"architecture": "a"}}, {}, "x", {"config.json": b"{}"})
    assert published_record(sealed) is not None
    assert published_record(sealed.replace(b'"a"', b'"b"')) is None


def test_at_the_start_of_a_training(connected: HubServer, run: Path) -> None:
    connected.store.create(NAME).commit({"config.json": b"{}"}, "theirs")
    with pytest.raises(UsageError, match="train --hub-overwrite"):
        open_repo(NAME, architecture="test_resnet")
    open_repo(NAME, architecture="test_resnet", overwrite=True)


def test_other_classes(repo: Repo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same network, trained on other data, is another model."""
    other = tmp_path / "other"
    make_run(other)
    shutil.rmtree(other / "model")
    make_model(other / "model", ["oak", "ash", "elm"], "test_resnet")
    refused(
        capsys, other, "holds a model of other classes, red, green, blue, ...,", "this run's, oak, ash, elm"
    )
    assert "oak" in repo.read("config.json").decode()
