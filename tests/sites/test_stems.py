"""The entries of feature_info that are a network's stem, over timm's families, and the default layers."""

import pytest
import timm
import torch
from torch import nn

from tests.families import members
from tests.networks import SmallNet
from timm_multimix import MixTask
from timm_multimix.errors import UsageError
from timm_multimix.mixers.mixer import FIRST_LAYERS
from timm_multimix.sites.cuts import find_layer, find_stages, stage_names

# The entries that come before the first stage, in all families that name such; the others begin with a stage.
STEMS = {
    "csatv2": ["stem_dct"],
    "cs3darknet_focus_s": ["stem.conv1"],
    "cspnext_tiny": ["stem"],
    "densenet121": ["features.norm0"],
    "dpn48b": ["features.conv1_1"],
    "ese_vovnet19b_slim_dw": ["stem.1"],
    "ghostnet_050": ["conv_stem"],
    "halonet_h1": ["stem.conv1"],
    "hrnet_w18_small": ["stem"],
    "inception_v4": ["features.2"],
    "legacy_seresnet18": ["layer0"],
    "legacy_xception": ["act2"],
    "mobilenetv4_conv_small_035": ["bn1"],
    "mobilenetv5_base": ["bn1"],
    "nasnetalarge": ["conv0", "cell_stem_1.conv_1x1.act"],
    "pnasnet5large": ["conv_0", "cell_stem_1.conv_1x1.act"],
    "regnetx_002": ["stem"],
    "repghostnet_050": ["conv_stem"],
    "res2next50": ["act1"],
    "resnest14d": ["act1"],
    "resnet50_clip": ["stem.conv3"],
    "resnetv2_18": ["stem.conv"],
    "selecsls42": ["stem.2"],
    "skresnet18": ["act1"],
    "test_byobnet": ["stem"],
    "test_coatnet": ["stem"],
    "test_maxvit": ["stem"],
    "test_nfnet": ["stem.conv3"],
    "test_resnet": ["act1"],
    "tresnet_m": [""],
    "vgg11": ["features.1"],
}


def without_weights(name):
    with torch.device("meta"):
        return timm.create_model(name)


def check_stem(name):
    model, stem = without_weights(name), STEMS.get(name, [])
    names = stage_names(model)
    assert names[: len(stem)] == stem
    assert find_stages(model) == names[len(stem) :]
    for layer in FIRST_LAYERS[1:]:
        find_layer(model, layer)


@pytest.mark.parametrize("name", ["test_resnet", "regnetx_002", "test_vit", "test_efficientnet", "vgg11"])
def test_the_stem_is_no_stage(name):
    check_stem(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for _, name in members.cases(members.families())])
def test_the_stem_is_no_stage_in_any_family(name):
    check_stem(name)


def test_by_default_the_stages_of_the_paper_are_mixed():
    """In a ResNet the input and the first two residual stages; the stem is entry 1 of its feature_info."""
    model = timm.create_model("test_resnet", num_classes=5)
    assert find_layer(model, "stage 1") is find_layer(model, "layer1")
    assert find_layer(model, "stage 2") is find_layer(model, "layer2")
    assert find_layer(model, 1) is find_layer(model, "act1")
    task = MixTask(model, "manifold_mixup", seed=1).train()
    changed = set()
    clean = {}
    for name in ("act1", "layer1", "layer2"):
        layer = find_layer(model, name)
        layer.register_forward_hook(lambda m, a, out, name=name: clean.update({name: out}))
    images, labels = torch.rand(4, 3, 32, 32), torch.arange(4)
    model.eval()(images)
    unmixed = {name: out.detach() for name, out in clean.items()}
    for _ in range(20):
        # Modes of modules that mixing does not look at: so the passes are the same up to what is mixed.
        model.eval()
        task._training_step(images, labels)
        changed.add(tuple(name for name, out in clean.items() if not torch.equal(out, unmixed[name])))
    assert changed == {("act1", "layer1", "layer2"), ("layer1", "layer2"), ("layer2",)}


class Own(nn.Module):
    feature_info = ({"module": "stem"}, {"module": "body"})

    def __init__(self):
        super().__init__()
        self.stem, self.body = nn.Linear(3, 3), nn.Linear(3, 3)


def test_own_models_stages_are_counted_behind_what_is_called_stem():
    assert find_stages(Own()) == ["body"]
    with pytest.raises(UsageError, match=r"one of the stages after the stem .* 1 \(body\), got stage 2"):
        find_layer(Own(), "stage 2")


def test_a_model_whose_groups_have_no_stem_has_none():
    assert find_stages(SmallNet()) == ["stem", "body"]
