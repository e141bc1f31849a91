"""Models as functions of pixels, from every source."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from tests.finished_runs import make_model, make_run
from timm_multimix.data.batches import SampleKey
from timm_multimix.data.dataset import ImageDataset
from timm_multimix.data.measured import load_split
from timm_multimix.data.transforms import create_evaluation_transform
from timm_multimix.errors import UsageError
from timm_multimix.evaluation.classifier import Classifier, load_classifier
from timm_multimix.evaluation.pictures import Pictures
from timm_multimix.options.declaration import declared
from timm_multimix.options.model import InputOptions
from timm_multimix.options.shared import LoadingOptions

LOADING = LoadingOptions(batch_size=4, workers=0)


def load(name: object, classes: int = 3, **changes: Any) -> Classifier:
    """Load a classifier; other arguments are the model's or the input's."""
    inputs = {name: changes.pop(name) for name in declared(InputOptions).keys() & changes.keys()}
    return load_classifier(str(name), lambda: classes, input=InputOptions(**inputs), **changes)


def test_logits_are_those_of_the_usual_preprocessing_to_the_bit(colours: Path) -> None:
    classifier = load("test_resnet", img_size=40)
    assert isinstance(classifier.model, torch.nn.Module)
    source = load_split(str(colours)).source
    pictures = Pictures(source, classifier, LOADING)
    pixels, labels = (torch.cat(parts) for parts in zip(*pictures.batches(), strict=True))
    usual = ImageDataset(source, create_evaluation_transform(classifier.data_config))
    images = torch.stack([usual[SampleKey(index)][0] for index in range(15)])
    assert torch.equal(pixels.sub(classifier.mean).div(classifier.std), images)
    with torch.no_grad():
        assert torch.equal(classifier(pixels), classifier.model(images))
    assert labels.tolist() == [source[index][1] for index in range(15)]


@pytest.mark.parametrize(
    "name",
    ["test_resnet", "test_vit", "test_convnext", "test_efficientnet", "deit_tiny_distilled_patch16_224"],
)
def test_the_embedding_is_what_the_classifier_reads(name: str) -> None:
    classifier = load(name, model_kwargs={"drop_rate": 0.5})
    pixels = torch.rand(2, *classifier.data_config["input_size"])
    with torch.no_grad():
        logits, embedding = classifier.embed(pixels)
        assert embedding is not None
        assert torch.equal(logits, classifier(pixels))
        heads = classifier.model.get_classifier()  # type: ignore[operator]
        heads = heads if isinstance(heads, tuple) else (heads,)
        parts = embedding.chunk(len(heads), 1)
        again = torch.stack([head(part) for head, part in zip(heads, parts, strict=True)]).mean(0)
    assert torch.allclose(again, logits, atol=1e-5)


def test_a_model_without_a_classifier_of_its_own_has_no_embedding() -> None:
    config = {"mean": (0.5,), "std": (0.5,)}
    logits, embedding = Classifier(torch.nn.Flatten(), config, None).embed(torch.rand(2, 1, 2, 2))
    assert logits.shape == (2, 4)
    assert embedding is None


def test_a_run_and_its_model_directory_are_the_same_model(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    run, directory = load(tmp_path / "run"), load(f"local-dir:{tmp_path}/run/model")
    expected = timm.create_model(f"local-dir:{tmp_path}/run/model", pretrained=True).state_dict()
    for classifier in (run, directory):
        assert classifier.label_names == ["red", "green", "blue"]
        assert tuple(classifier.data_config["input_size"]) == (3, 32, 32)
        assert all(
            torch.equal(value, expected[name]) for name, value in classifier.model.state_dict().items()
        )


def test_a_name_alone_gives_random_weights_by_the_seed() -> None:
    first, again, other = (load("test_resnet", 7, seed=seed) for seed in (0, 0, 1))
    assert first.label_names is None
    state, same, different = (c.model.state_dict()["fc.weight"] for c in (first, again, other))
    assert state.shape[0] == 7
    assert torch.equal(state, same)
    assert not torch.equal(state, different)


def test_mistakes(tmp_path: Path) -> None:
    make_model(tmp_path / "model", ["a", "b"])
    (tmp_path / "empty").mkdir()
    for name, said in {
        "test_resnt": "unknown model 'test_resnt'.*test_resnet",
        tmp_path / "model": f"is a model's directory, not a run's; give local-dir:{tmp_path}/model",
        tmp_path / "empty": "is not a run's directory: it has no config.yaml",
        f"local-dir:{tmp_path}/empty": "there is no config.json",
    }.items():
        with pytest.raises(UsageError, match=said):
            load(name)
    (tmp_path / "empty/config.yaml").write_text("")
    with pytest.raises(UsageError, match="is not finished"):
        load(tmp_path / "empty")
    with pytest.raises(UsageError, match="nonsense"):
        load("test_vit", model_kwargs={"nonsense": 1})
