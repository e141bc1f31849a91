"""The pages are complete, agree in their numbers, and escape names."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from timm_multimix.comparison.collect import find_baseline, group, read_run, read_runs
from timm_multimix.comparison.evaluated import evaluated
from timm_multimix.comparison.formatting import cells, signed, verdict
from timm_multimix.comparison.pages import make_html, make_markdown
from timm_multimix.comparison.pictures import PICTURES, THEMES, draw_all
from timm_multimix.comparison.table import Comparison, as_record, compare
from timm_multimix.files import digest
from timm_multimix.records.evaluations import read_all

from .runs import VERSIONS, make_grid, make_run

VOID = {"meta", "img", "source", "br"}
EVIL = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</table>|`x`|[y](javascript:alert(3))",
    "$\\frac{1}{",
    "_**bold**_\n# heading",
)


class Page(HTMLParser):
    """A page as parsed by a browser: elements closed in order, their attributes, the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def compared(directories: list[Path], baseline: str | None = None, **options: object) -> Comparison:
    arms = group(read_runs(directories))
    return compare(arms, find_baseline(arms, baseline), **options)  # type: ignore[arg-type]


def html_of(comparison: Comparison, drawn: bool = False) -> str:
    """The page, with its real images or with empty ones."""
    empty = dict.fromkeys(PICTURES, b"")
    light, dark = (draw_all(comparison, theme) if drawn else empty for theme in ("light", "dark"))
    return make_html(comparison, light, dark)


@pytest.fixture
def three(tmp_path: Path) -> Comparison:
    return compared(
        make_grid(tmp_path, {"mixup": [91, 92, 93], "none": [90, 90, 90], "cutmix": [89, 92, 90]})
    )


def test_the_numbers_are_those_of_the_runs(three: Comparison) -> None:
    assert [row.label for row in three.rows] == ["none", "mixup", "cutmix"]
    assert cells(three.rows[0])[:7] == [
        "none",
        "3",
        "90.00",
        "0.00",
        "90.50 \u00b1 0.00",
        "baseline",
        "\u2013",
    ]
    mixup = cells(three.rows[1])
    assert mixup[:6] == ["mixup", "3", "92.00", "1.00", "92.50 \u00b1 1.00", "+2.00"]
    assert mixup[6] == "\u22120.48 to +4.48"  # 2 -+ 4.3027 / sqrt(3)
    assert mixup[7] == "200 (\u00d7 1.00)"


def test_all_pages_have_the_same_table(three: Comparison) -> None:
    page = Page(html_of(three))
    tokens = MarkdownIt("commonmark").enable("table").parse(make_markdown(three))
    in_markdown = [token.content for token in tokens if token.type == "inline" and token.level == 4]
    expected = [cell for row in three.rows for cell in cells(row)]
    rows = page.rows[1 : 1 + len(three.rows)]
    assert [cell for row in rows for cell in row] == expected
    assert in_markdown[: len(expected)] != []
    assert all(cell in make_markdown(three) for cell in expected)
    record = as_record(three)
    assert json.loads(json.dumps(record)) == record
    assert [row["label"] for row in record["rows"]] == ["none", "mixup", "cutmix"]
    assert len(record["runs"]) == 9


def test_the_html_is_self_contained(three: Comparison) -> None:
    """Nothing is loaded from elsewhere; images are PNGs in both themes, with alternative texts."""
    page = Page(html_of(three, drawn=True))
    assert page.open == []
    sources = [value or "" for name, value in page.attributes if name in ("src", "srcset", "href")]
    assert len(sources) == 2 * len(PICTURES)
    for source in sources:
        head, data = source.split(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            picture.verify()
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert [value for name, value in page.attributes if name == "alt" and value] != []
    assert "width=device-width" in html_of(three)
    assert "prefers-color-scheme: dark" in html_of(three)


def test_names_are_text_and_never_markup(tmp_path: Path) -> None:
    directories = [make_run(tmp_path / str(k), name, 0, 90 + k) for k, name in enumerate(EVIL)]
    plain = [make_run(tmp_path / f"{k}-plain", f"mix{k}", 0, 90 + k) for k in range(len(EVIL))]
    command = "timm-multimix compare ```</pre><script>alert(4)</script>"
    options = {"missing": [EVIL[0]], "command": command}
    evil, tame = compared(directories, **options), compared(plain, missing=["x"], command="compare")
    page, other = Page(html_of(evil, drawn=True)), Page(html_of(tame))
    assert page.open == []
    assert page.tags == other.tags
    assert {name for name, _ in page.attributes} == {name for name, _ in other.attributes}
    for name in EVIL:
        assert " ".join(name.split()) in " ".join(page.text.split())
    assert command in page.text


def test_names_are_text_in_markdown_as_well(tmp_path: Path) -> None:
    directories = [make_run(tmp_path / str(k), name, 0, 90 + k) for k, name in enumerate(EVIL)]
    plain = [make_run(tmp_path / f"{k}-plain", f"mix{k}", 0, 90 + k) for k in range(len(EVIL))]
    shapes = []
    for found in (directories, plain):
        text = make_markdown(compared(found, command="timm-multimix compare ```\n# x", missing=[EVIL[0]]))
        tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(text)
        inner = [child.type for token in tokens for child in token.children or []]
        assert not {"html_inline", "link_open", "code_inline", "em_open"} & set(inner)
        assert inner.count("image") == len(PICTURES)
        shapes.append([token.type for token in tokens])
    assert shapes[0] == shapes[1]
    assert "html_block" not in shapes[0]


def test_replaced_labels_have_a_table_of_their_own(tmp_path: Path, three: Comparison) -> None:
    """Mean and std over seeds, by hand; a dash for an arm without numbers; no table without any."""
    learnt = {"noisy_top1": 40.0, "noisy_true_top1": 50, "clean_top1": 99.5, "noisy_loss": 2.25}
    learnt |= {"part": 0.4, "kind": "pair", "noisy_samples": 40, "clean_samples": 60}
    noise = learnt | {"clean_loss": 0.125}
    directories = [
        make_run(tmp_path / "a", "none", 0, 90, label_noise=noise),
        make_run(tmp_path / "b", "none", 1, 90, label_noise=noise | {"noisy_top1": 42.0}),
        make_run(tmp_path / "c", "mixup", 0, 90, label_noise=learnt),
        make_run(tmp_path / "d", "cutmix", 0, 90),
    ]
    comparison = compared(directories)
    none = ["none", "41.00 \u00b1 1.41", "50.00 \u00b1 0.00", "99.50 \u00b1 0.00", "2.25 \u00b1 0.00"]
    expected = [
        [*none, "0.12 \u00b1 0.00"],
        ["mixup", "40.00", "50.00", "99.50", "2.25", "\u2013"],
        ["cutmix", *["\u2013"] * 5],
    ]
    assert [row for row in Page(html_of(comparison)).rows if len(row) == 6][1:] == expected
    assert all(f"| {' | '.join(row)} |" in make_markdown(comparison) for row in expected)
    runs = as_record(comparison)["runs"]
    assert [run.get("memorised", {}).get("noisy_top1") for run in runs] == [40, 42, 40, None]
    assert "eplaced" not in make_markdown(three) + html_of(three)


def evaluate_run(run: Path, nll: float, uniformity: float | None = None, **data: object) -> Path:
    """Write weights for a run, and an evaluation of them."""
    (run / "model").mkdir()
    (run / "model/model.safetensors").write_bytes(run.name.encode())
    pictures = {"dataset": "digits", "kind": "digits", "split": "test", "samples": 360} | data
    unknown = {"dataset": "data/textures", "kind": "folder", "samples": 9}
    record: dict[str, object] = {
        "model": {"sha256": digest(run / "model/model.safetensors")},
        "data": pictures,
        "input_size": [3, 32, 32],
        "calibration": {"nll": nll, "ece": 0.0125, "bins": 15},
        "attacks": {
            "samples": 10,
            "steps": 5,
            "epsilons": [2 / 255, 0.07],
            "white_box": {"pgd": [50.0, 25.0]},
        },
        "ood": [unknown | {"scores": {"max_softmax": {"auroc": auroc}}} for auroc in (80.0, 10.0)],
        "corruptions": {"mean_top1": None},
    }
    if uniformity is not None:
        spread = {"within": 1.0, "between": 2.0, "ratio": 0.5}
        record["embedding"] = {"alignment": 0.25, "uniformity": uniformity, "class_spread": spread}
    (run / "evaluation.json").write_text(json.dumps(record))
    return run


def test_evaluations_have_a_table_of_their_own(tmp_path: Path) -> None:
    """Mean and std by hand; a dash for an arm without an evaluation of its weights on these images.

    What was measured on other images stands in another table, in another way in another row.
    """
    whole, part = ({"dataset": path, "kind": "folder"} for path in ("/here/data/digits", "data/digits"))
    directories = [
        evaluate_run(make_run(tmp_path / "a", "none", 0, 90), 1.0, uniformity=-2.0, **whole),
        evaluate_run(make_run(tmp_path / "b", "none", 1, 90), 2.0, uniformity=-2.5, **whole),
        evaluate_run(make_run(tmp_path / "c", "mixup", 0, 90), 12.5, **part),
        make_run(tmp_path / "g", "mixup", 1, 90),
        evaluate_run(make_run(tmp_path / "d", "cutmix", 0, 90), 7.0, samples=100),
        evaluate_run(make_run(tmp_path / "e", "fmix", 0, 90), 7.0),
        make_run(tmp_path / "f", "gridmix", 0, 90),
    ]
    (directories[5] / "model/model.safetensors").write_bytes(b"other weights")
    mixup = directories[2] / "evaluation.json"
    mixup.write_text(mixup.read_text().replace('"steps": 5', '"steps": 6'))
    comparison = compared(directories)
    one, none, how = (
        "12.50 (1 of 2 seeds)",
        "\u2013",
        "top-1 accuracy under pgd of {} steps, ε = {}, 10 images, %",
    )
    expected = [
        ["negative log likelihood", "1.500 \u00b1 0.707", one],
        ["expected calibration error, 15 bins", "0.0125 \u00b1 0.0000", "0.0125 (1 of 2 seeds)"],
        ["alignment (same class)", "0.250 \u00b1 0.000", none],
        ["uniformity (all pairs)", "\u22122.250 \u00b1 0.354", none],
        ["variance within / between classes", "0.500 \u00b1 0.000", none],
        [how.format(5, "2/255"), "50.00 \u00b1 0.00", none],
        [how.format(5, "0.07"), "25.00 \u00b1 0.00", none],
        ["AUROC against textures, 9 images, max softmax, %", "80.00 \u00b1 0.00", "80.00 (1 of 2 seeds)"],
        [
            "AUROC against textures, 9 images, no. 2, max softmax, %",
            "10.00 \u00b1 0.00",
            "10.00 (1 of 2 seeds)",
        ],
        [how.format(6, "2/255"), none, "50.00 (1 of 2 seeds)"],
        [how.format(6, "0.07"), none, "25.00 (1 of 2 seeds)"],
    ]
    page, text = Page(html_of(comparison)), make_markdown(comparison)
    rows = [row[:3] for row in page.rows if row[0] in {line[0] for line in expected}]
    other = ["negative log likelihood", none, none]
    assert rows[: len(expected) + 1] == [*expected, other]
    assert all(f"| {' | '.join(row)} |" in text for row in page.rows if row[0] == other[0])
    assert "On 360 images of split test of digits, 32 x 32 pixels:" in text
    assert "On 100 images of split test of digits, 32 x 32 pixels:" in text
    found = [list(run.get("evaluated", {}).values()) for run in as_record(comparison)["runs"]]
    nlls = [numbers[0]["negative log likelihood"] if numbers else None for numbers in found]
    assert nlls == [1, 2, 12.5, None, 7, None, None]


def test_conditions_that_the_last_part_of_a_path_does_not_tell_apart(tmp_path: Path) -> None:
    """Each has its own table, named by as much as tells it from the others; all others keep their names."""
    run = evaluate_run(make_run(tmp_path / "a", "none", 0, 90), 1.0)
    (record,) = read_all(run / "evaluation.json")
    other = evaluate_run(make_run(tmp_path / "b", "mixup", 0, 90), 6.0, dataset="c/fog/5", kind="folder")

    def measured(nll: float, dataset: str, crop_pct: float, samples: int = 360) -> dict[str, object]:
        data = {"dataset": dataset, "kind": "folder", "split": "test", "samples": samples}
        calibration = {"nll": nll, "ece": 0.1, "bins": 15}
        return record | {"data": data, "input": {"crop_pct": crop_pct}, "calibration": calibration}

    records = [
        measured(1, "c/fog/5", 1.0),
        measured(2, "c/snow/5", 1.0),
        measured(3, "c/snow/5", 0.9),
        measured(4, "c/rain/5", 1.0, samples=7),
        record,
    ]
    (run / "evaluation.json").write_text(json.dumps({"evaluations": records}))
    fog, snow, rain, digits = (
        f"{samples} images of split test of {name}, 32 x 32 pixels"
        for samples, name in ((360, "fog/5"), (360, "snow/5"), (7, "5"), (360, "digits"))
    )
    comparison = compared([run, other])
    first, second = (
        {name: numbers["negative log likelihood"] for name, numbers in run["evaluated"].items()}
        for run in as_record(comparison)["runs"]
    )
    assert first == {
        f"{fog}; crop-pct 1.0": 1,
        f"{snow}; crop-pct 1.0": 2,
        f"{snow}; crop-pct 0.9": 3,
        rain: 4,
        digits: 1,
    }
    assert second == {f"{fog}; crop-pct unknown": 6}
    assert all(f"On {name}:" in make_markdown(comparison) for name in [*first, *second])
    assert list(evaluated(read_run(other))) == [fog.replace("fog/", "")]


def test_runs_kept_without_weights_have_their_evaluations(tmp_path: Path) -> None:
    """Unless they are of different weights, of which nobody knows the run's."""
    run = evaluate_run(make_run(tmp_path / "a", "none", 0, 90), 1.0)
    (run / "model/model.safetensors").unlink()
    assert "| negative log likelihood | 1.000 |" in make_markdown(compared([run]))
    record = json.loads((run / "evaluation.json").read_text())
    later = record | {"model": {"sha256": "b" * 64}}
    (run / "evaluation.json").write_text(json.dumps({"evaluations": [record, later]}))
    assert "## Evaluated" not in make_markdown(compared([run]))


def test_calibration_is_compared_after_temperature_scaling_too(tmp_path: Path) -> None:
    run = evaluate_run(make_run(tmp_path / "a", "none", 0, 90), 1.0)
    record = json.loads((run / "evaluation.json").read_text())
    scaled = {"temperature": 2.0, "before": {"nll": 9.0, "ece": 0.5}, "after": {"nll": 0.75, "ece": 0.25}}
    record["calibration"]["temperature_scaling"] = scaled
    (run / "evaluation.json").write_text(json.dumps(record))
    text = make_markdown(compared([run]))
    assert "| negative log likelihood after temperature scaling, one half | 0.750 |" in text
    assert "| expected calibration error after temperature scaling, one half, 15 bins | 0.250 |" in text
    assert "9.0" not in text


def test_damaged_evaluations_are_left_out(tmp_path: Path, three: Comparison) -> None:
    run = evaluate_run(make_run(tmp_path / "a", "none", 0, 90), 1.0)
    record, file = json.loads((run / "evaluation.json").read_text()), run / "evaluation.json"
    assert "## Evaluated" in make_markdown(compared([run]))
    deep, huge = "[" * 10**5, json.dumps(record).replace('"ece": 0.0125', f'"ece": {10**400}')
    damages = ({"calibration": {"nll": 1}}, {"data": []}, {"attacks": "much"}, {"ood": 7}, {"model": 1})
    for damage in [*(json.dumps(record | damage) for damage in damages), deep, huge]:
        file.write_text(damage)
        assert "## Evaluated" not in make_markdown(compared([run]))
    assert "<h2>Evaluated" not in html_of(three)


def test_title_and_data_are_escaped(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", "none", 0, 90, model="<b>m</b>", hardware="<i>h</i>", dataset="<u>d<u>")
    text = html_of(compared([run]))
    assert not {"i", "u"} & set(Page(text).tags)
    assert "<b>m</b>" not in text
    assert "&lt;b&gt;m&lt;/b&gt;" in text


def test_pages_have_no_local_paths(tmp_path: Path) -> None:
    comparison = compared(make_grid(tmp_path, {"none": [90], "mixup": [91]}, dataset=str(tmp_path / "pets")))
    for text in (make_markdown(comparison), html_of(comparison), json.dumps(as_record(comparison))):
        assert "pets" in text
        assert str(tmp_path.parent) not in text


def test_one_seed_says_so(tmp_path: Path) -> None:
    comparison = compared(make_grid(tmp_path, {"none": [90], "mixup": [91]}))
    assert cells(comparison.rows[1])[3:7] == ["\u2013", "91.50", "+1.00", "none: one seed"]
    assert "Every arm has one seed" in "\n".join(comparison.caveats)
    assert verdict(comparison.rows[1], comparison) == "+1.00 points against none with one seed: no interval"


def test_the_caveats(tmp_path: Path) -> None:
    directories = [
        make_run(tmp_path / "a", "none", 0, 90),
        make_run(tmp_path / "b", "none", 1, 92),
        make_run(tmp_path / "c", "mixup", 0, 91, versions=VERSIONS | {"commit": "b" * 40, "torch": "9"}),
        make_run(tmp_path / "d", "mixup", 1, 93, hardware="GPU"),
        make_run(tmp_path / "e", "cutmix", 1, 93),
        make_run(tmp_path / "f", "fmix", 2, 93, best_chosen_on_test_split=False),
    ]
    comparison = compared(directories, missing=["fmix, seed 0 (ended)"])
    notes = "\n".join(comparison.caveats)
    assert f"commit: {'a' * 12} (5 runs), {'b' * 12} (1 runs); torch: unknown (5 runs), 9 (1 runs)" in notes
    assert "The hardware differs" in notes
    assert "cutmix; fmix has one seed" in notes
    assert "not those of the baseline, none, in: cutmix; fmix." in notes
    assert "the interval has no width: mixup." in notes
    assert "optimistic" in notes
    assert comparison.caveats[0] == "Missing: fmix, seed 0 (ended)."
    assert verdict(comparison.rows[3], comparison) == "has no seed in common with none"
    assert verdict(comparison.rows[1], comparison) == "+1.00 points against none in each of 2 seeds"


def test_no_caveat_without_a_reason(three: Comparison) -> None:
    assert not re.search("versions|hardware|one seed|no width|Missing|Memory", "\n".join(three.caveats))
    assert "The 2 intervals are not corrected" in "\n".join(three.caveats)


def test_intervals_corrected_for_several_comparisons(three: Comparison) -> None:
    corrected = compare(three.arms, three.baseline, comparisons=2)
    notes = "\n".join(corrected.caveats)
    assert "The intervals are corrected for 2 comparisons (Bonferroni)." in notes
    assert "not corrected" not in notes
    assert as_record(corrected)["difference"].endswith(
        "by Student's t, corrected for 2 comparisons (Bonferroni)"
    )
    for one, other in zip(corrected.rows[1:], three.rows[1:], strict=True):
        assert one.difference is not None
        assert other.difference is not None
        assert one.difference.low < other.difference.low < other.difference.mean == one.difference.mean


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([91.0, 91.1, 91.2], "better than none over 3 seeds: +1.10 points, +0.85 to +1.35"),
        ([89.0, 89.1, 89.2], "worse than none over 3 seeds: \u22120.90 points, \u22121.15 to \u22120.65"),
        ([90.0, 91.0, 89.5], "+0.17 points against none: not significant with 3 seeds"),
    ],
)
def test_the_verdict_is_that_of_the_interval(values: list[float], words: str, tmp_path: Path) -> None:
    comparison = compared(make_grid(tmp_path, {"none": [90, 90, 90], "mixup": values}))
    assert verdict(comparison.rows[1], comparison) == words


def test_memory_and_speed(tmp_path: Path) -> None:
    directories = [
        make_run(tmp_path / "a", "none", 0, 90, images_per_second=100.0, peak_memory_bytes=3 * 2**29),
        make_run(tmp_path / "b", "mixup", 0, 90, images_per_second=80.0, peak_memory_bytes=100 * 2**20),
        make_run(tmp_path / "c", "cutmix", 0, 90, images_per_second=...),
    ]
    comparison = compared(directories)
    assert [cells(row)[7:] for row in comparison.rows] == [
        ["100", "1.5 GiB"],
        ["80 (\u00d7 0.80)", "100 MiB"],
        ["\u2013", "\u2013"],
    ]
    assert any(note.startswith("Memory is the peak") for note in comparison.caveats)


def test_zero_has_no_sign() -> None:
    assert [signed(value) for value in (0.0, -0.001, 0.004, -0.01, 1.5)] == [
        "0.00",
        "0.00",
        "0.00",
        "\u22120.01",
        "+1.50",
    ]


def test_images_have_the_background_of_their_theme(three: Comparison) -> None:
    for theme, colours in THEMES.items():
        pictures = draw_all(three, theme)
        assert list(pictures) == list(PICTURES)
        for png in pictures.values():
            pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
            assert "#{:02x}{:02x}{:02x}".format(*pixels[2, 2]) == colours["paper"]
            assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20  # something is drawn


def test_many_arms_can_be_drawn(tmp_path: Path) -> None:
    """More arms than colours and one epoch only."""
    grid = make_grid(tmp_path, {f"mix{k}": [80 + k] for k in range(12)}, epochs=1)
    assert all(png.startswith(b"\x89PNG") for png in draw_all(compared(grid), "light").values())
