"""docs/guide.md is what the registry and the results give; docs/examples.md shows what is in the examples."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import aims, guide
from timm_multimix import list_mixers

DOCS = Path(__file__).parents[1] / "docs"


def test_the_guide_is_up_to_date():
    assert (DOCS / "guide.md").read_text(encoding="utf-8") == guide.make_guide(), "run `make docs`"


def test_the_page_of_benchmarks_is_up_to_date():
    assert aims.PAGE.read_text(encoding="utf-8") == aims.make_page(), "run `make docs`"


def test_an_aim_is_shown_with_its_measurement():
    reached = aims.Aim("", 1.02, lambda device: 1.0249, at_most=True)
    missed = aims.Aim("", 3, lambda device: 2.949)
    assert [aims.shown(aim, "cpu") for aim in (reached, missed)] == ["1.02", "2.95, missed"]
    assert [aim.wanted() for aim in (reached, missed)] == ["at most 1.02", "at least 3"]
    assert all(aims.shown(aim, "no such device") == aims.EMPTY for aim in aims.AIMS)


def test_aims_are_read_from_the_right_rows():
    """The aims of the loss at one shape, worked out from the file."""
    rows = json.loads((guide.RESULTS / "loss-cpu.json").read_text())["rows"]
    ratios = {row["b, d, c, r, n"]: row.get("times faster") for row in rows}
    plain = min(ratios[f"128, 512, 100, 1, {n}"] for n in (1000, 10_000, 100_000))
    assert aims.times_faster(aims.PLAIN[0], "cpu") == plain
    assert aims.times_faster(aims.IMAGENET_DENSE, "cpu") == ratios["64, 2048, 1000, 49, 1000"]
    steps = json.loads((guide.RESULTS / "step-resnet50-b128-cpu.json").read_text())["rows"]
    assert aims.step("resnet50", "multimix", "cpu") == steps[1]["of none"]


def test_the_guide_names_every_mixer_once_with_its_place():
    place, data = r"(\w+|the place of its mixers)", r"(\w+|what its mixers take)"
    rows = re.findall(
        rf"^\| `(\w+)` \| .* \| {place} \| {data} \| [^|]+ \| [^|]*\|$", guide.make_guide(), re.M
    )
    assert [name for name, _, _ in rows] == [*list_mixers(), "per_sample"]
    found = {name: (place, data) for name, place, data in rows}
    assert found["mixup"] == ("input", "any")
    assert found["cutmix"] == ("input", "images")
    assert found["multimix"] == ("embedding", "any")
    assert found["dense_multimix"] == ("positions", "images")


def test_every_number_of_a_step_is_a_measured_one():
    """A column for each file of the benchmarks, and in it all that the file holds."""
    rows = [line.strip("| ").split(" | ") for line in guide.step_table().splitlines()]
    files = [*sorted(guide.RESULTS.glob("guided-*.json")), *sorted(guide.RESULTS.glob("step-*.json"))]
    assert len(files) == len(rows[0]) - 1 >= 1
    for column, file in enumerate(files, 1):
        found = json.loads(file.read_text().replace(*guide.RENAMED))
        assert f"`{found['options']['model']}`" in rows[0][column]
        ratios = {row["mixer"]: f"{row['of none']:.2f}" for row in found["rows"] if row["mixer"] != "none"}
        measured = {spec: ratio for spec, ratio in ratios.items() if ", teacher" not in spec}
        assert rows[2][0] == "`none`"
        shown = {row[0].strip("`"): row[column] for row in rows[3:] if row[column] != "-"}
        assert shown == measured


def test_every_number_of_a_step_with_a_teacher_is_a_measured_one():
    rows = [line.strip("| ").split(" | ") for line in guide.teacher_table().splitlines()]
    columns = {head: {row[0].strip("`"): row[k] for row in rows[2:]} for k, head in enumerate(rows[0]) if k}
    measured = {}
    for result in guide.read_steps():
        for row in result["rows"]:
            spec, _, kind = row["mixer"].partition(", teacher ")
            if kind:
                column = measured.setdefault(f"`{result['options']['model']}`, {kind}", {})
                column[spec] = f"{row['of none']:.2f}"
    shown = {head: {spec: r for spec, r in column.items() if r != "-"} for head, column in columns.items()}
    assert shown == measured


@pytest.mark.parametrize(
    ("text", "absent", "present"),
    [("`mixup(alpha=1)` and cutmix", "cutmix", "mixup"), ("", "none", "nonsense")],
)
def test_mixers_missing_in_a_text(text, absent, present):
    names = guide.missing(text)
    assert f"`{absent}`" in names
    assert f"`{present}`" not in names


def test_the_accuracy_is_that_of_the_results():
    section = guide.accuracy_section()
    results = (DOCS / "results/README.md").read_text()
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert len(rows) > 3
    assert all(row in results for row in rows)


def test_the_links_of_the_pages_lead_somewhere():
    for page in ("guide.md", "examples.md"):
        links = re.findall(r"\]\(([^)#]+)\)", (DOCS / page).read_text())
        local = [link for link in links if not link.startswith("http")]
        assert local
        assert [link for link in local if not (DOCS / link).exists()] == []


def test_the_code_of_the_examples_page_is_the_examples():
    """Each block, line by line, is in the file that the heading above it links."""
    sections = (DOCS / "examples.md").read_text().split("\n## ")[1:]
    assert len(sections) >= 3
    for section in sections:
        file = re.search(r"\(\.\./(examples/\w+\.(?:py|patch|ipynb))\)", section)
        assert file is not None
        code = {line.strip() for line in (DOCS.parent / file[1]).read_text().splitlines()}
        shown = [
            line.strip()
            for block in re.findall(r"```(?:python|diff)\n(.*?)```", section, re.S)
            for line in block.splitlines()
        ]
        assert [line for line in shown if line not in code | {"...", ""}] == []
