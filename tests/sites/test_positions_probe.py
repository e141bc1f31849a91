"""Dense logits: detection of a head's properties, and warnings for models without positions."""

import warnings

import pytest
import timm
import torch
from torch import nn

from tests.sites.heads import build, every_model, snapshot
from timm_multimix.errors import UsageError
from timm_multimix.sites.positions import dense_forward


@every_model
def test_the_probe_leaves_no_trace(name):
    model, images = build(name)
    model.eval()
    for index, part in enumerate(model.modules()):
        part.training = index % 2 == 1 and not isinstance(part, (nn.Dropout, nn.modules.batchnorm._BatchNorm))
    modes, before, hooks = [p.training for p in model.modules()], snapshot(model), count_hooks(model)
    torch.manual_seed(3)
    model(images)
    rng = torch.get_rng_state()
    torch.manual_seed(3)
    dense_forward(model, images)
    if not any(getattr(p, "drop_prob", 0) for p in model.modules()) and not getattr(model, "drop_rate", 0):
        assert torch.equal(torch.get_rng_state(), rng)
    assert [p.training for p in model.modules()] == modes
    assert count_hooks(model) == hooks
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def count_hooks(model):
    return sum(len(part._forward_pre_hooks) + len(part._forward_hooks) for part in model.modules())


def test_features_of_one_position_give_the_logits_and_warn_once():
    model = timm.create_model("test_resnet", num_classes=5).eval()
    images = torch.randn(3, 3, 32, 32)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dense = dense_forward(model, images)
        dense_forward(model, images)
    assert [str(w.message) for w in caught if "falls back to multimix" in str(w.message)] == [
        "ResNet has no spatial feature map at this input size; there dense_multimix falls back to multimix"
    ]
    assert torch.equal(dense.positions, dense.logits[None])
    assert torch.equal(dense.logits, model(images))
    assert torch.equal(dense.attended(), torch.ones(1, 3))
    assert not dense.class_tokens


def test_features_of_unknown_kinds_give_the_logits():
    class Odd(nn.Module):
        num_features = 8

        def __init__(self, features):
            super().__init__()
            self.features, self.head = features, nn.Linear(8, 2)

        def forward_features(self, x):
            return self.features

        def forward_head(self, x):
            return self.head(torch.ones(3, 8))

    maps = torch.ones(3, 8, 2, 2)
    kinds = [
        {"map": maps},
        [maps, torch.ones(3, 5, 8)],
        [maps, None],
        torch.ones(3, 8),
        torch.ones(3, 7, 2, 2),
    ]
    for features in kinds:
        with pytest.warns(UserWarning, match="falls back to multimix"):
            assert len(dense_forward(Odd(features), torch.ones(3, 3, 4, 4)).positions) == 1


def test_one_pass_of_the_backbone_and_one_call_of_the_head_for_all_positions():
    model, images = build("test_resnet")
    rows = {"features": [], "head": []}

    def features(x):
        rows["features"].append(len(x))
        return model.forward_features(x)

    def head(x):
        rows["head"].append(len(x))
        return model.forward_head(x)

    dense_forward(model, images, features=features, head=head)
    assert rows == {"features": [3], "head": [3, 3 * 4]}


def test_class_tokens_are_found_behind_a_classifier_of_zeros():
    model, images = build("test_vit")
    nn.init.zeros_(model.head.weight)
    assert dense_forward(model, images).class_tokens


def test_a_head_to_which_the_order_matters_has_no_prefix_counted():
    class Ordered(nn.Module):
        num_features = 3

        def __init__(self):
            super().__init__()
            self.head = nn.Linear(18, 2)

        def get_classifier(self):
            return self.head

        def forward_features(self, x):
            return x.flatten(2).transpose(1, 2)

        def forward_head(self, x):
            return self.head(x.expand(-1, 6, -1).flatten(1))

    dense = dense_forward(Ordered(), torch.randn(2, 3, 2, 3))
    assert dense.positions.shape == (6, 2, 2)
    assert not dense.class_tokens


def test_another_head_is_probed_again():
    model, images = build("test_vit")
    assert dense_forward(model, images).class_tokens
    model.reset_classifier(4, "avg")
    dense = dense_forward(model, images)
    assert not dense.class_tokens
    assert dense.positions.shape == (16, 3, 4)


def test_another_image_size_is_probed_again():
    model, _ = build("test_resnet")
    assert len(dense_forward(model, torch.randn(2, 3, 64, 64)).positions) == 4
    assert len(dense_forward(model, torch.randn(2, 3, 64, 96)).positions) == 6


def test_errors_say_what_was_given():
    images = torch.randn(2, 3, 32, 32)
    with pytest.raises(UsageError, match="with forward_features, got a Linear"):
        dense_forward(nn.Linear(3, 3), images)
    with pytest.raises(UsageError, match=r"returns logits .* got a ResNet"):
        dense_forward(timm.create_model("test_resnet", num_classes=0), images)
    with pytest.raises(UsageError, match=r"returns logits .* got a VisionTransformer"):
        dense_forward(timm.create_model("test_vit3", img_size=32, num_classes=3, global_pool=""), images)

    class Encoder(nn.Module):
        num_features, forward_features = 8, staticmethod(lambda x: torch.ones(2, 5, 8))

        def forward_head(self, x):
            raise NotImplementedError

    with pytest.raises(UsageError, match=r"returns logits .* got a .*Encoder"):
        dense_forward(Encoder(), images)
