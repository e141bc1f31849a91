"""The notebook and the demo of `examples/`, run as a reader would run them."""

import runpy
from pathlib import Path
from urllib.request import urlopen

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
def test_the_quickstart_runs_and_shows_what_it_promises(tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    shown = [
        output["data"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output["output_type"] == "execute_result"
    ]
    names, picture, run, metrics, measured, loaded = shown
    assert "'multimix'" in names["text/plain"]
    assert "data:image/png" in picture["text/html"]
    assert "mixup | cutmix" in run["text/html"]
    assert "eval_top1" in metrics["text/plain"]
    assert "<table>" in measured["text/html"]
    assert loaded["text/plain"].endswith("(3, 32, 32))")


@pytest.fixture(scope="module")
def demo():
    pytest.importorskip("gradio", reason="gradio is not installed: pip install timm-multimix[demo]")
    return runpy.run_path(str(EXAMPLES / "demo.py"))


@pytest.mark.slow
def test_the_demo_starts(demo, monkeypatch):
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    page = demo["make_page"]()
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True)
    try:
        with urlopen(address, timeout=30) as answer:
            assert "timm-multimix" in answer.read().decode()
    finally:
        page.close()


@pytest.mark.slow
def test_every_mixer_of_the_demo_is_shown_on_all_images(demo):
    for spec in demo["MIXERS"]:
        for source in demo["SOURCES"]:
            figure, table = demo["show"](source, spec, 6, 1, 0)
            assert figure.subfigs
            weights = [sum(row[2:]) for row in table["data"]]
            assert weights == pytest.approx([1.0] * len(weights), abs=0.01)


@pytest.mark.slow
def test_the_demo_shows_the_error_of_a_spec(demo):
    import gradio

    with pytest.raises(gradio.Error, match="unknown mixer 'mixxup'"):
        demo["show"]("digits", "mixxup", 6, 1, 0)
