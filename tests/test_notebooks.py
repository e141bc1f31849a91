"""The notebook of `examples/`, run as a reader would run it."""

from pathlib import Path

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
