"""The registered networks: known sizes, an independent forward pass, and timm's conventions."""

import pytest
import timm
import torch
from timm.models import group_parameters, save_for_hf
from torch import nn
from torch.nn import functional as F

import timm_multimix.models  # noqa: F401  registers the networks
from tests.networks import newer_timm

NAMES = ["preact_resnet18_cifar", "preact_resnet10_cifar", "wrn16_8_cifar", "wrn16_2_cifar"]
SMALL = ["preact_resnet10_cifar", "wrn16_2_cifar"]


def count(stem, widths, blocks, final_norm, classes):
    """Parameters by the papers' tables: 3x3 convolutions behind norms, 1x1 projections, a classifier."""
    total, before = 27 * stem, stem
    for index, width in enumerate(widths):
        for block in range(blocks):
            total += 2 * before + 9 * before * width + 2 * width + 9 * width * width
            total += before * width if block == 0 and (index > 0 or before != width) else 0
            before = width
    return total + (2 * before if final_norm else 0) + before * classes + classes


@pytest.mark.parametrize(
    ("name", "stem", "widths", "blocks", "final_norm", "millions"),
    [
        ("preact_resnet18_cifar", 64, (64, 128, 256, 512), 2, False, 11.2),
        ("wrn16_8_cifar", 16, (128, 256, 512), 2, True, 11.0),
        ("preact_resnet10_cifar", 32, (32, 64, 128, 256), 1, False, 1.3),
        ("wrn16_2_cifar", 16, (32, 64, 128), 2, True, 0.7),
    ],
)
def test_parameters_as_in_the_papers(name, stem, widths, blocks, final_norm, millions):
    model = timm.create_model(name, num_classes=100, device="meta")
    parameters = sum(p.numel() for p in model.parameters())
    assert parameters == count(stem, widths, blocks, final_norm, 100)
    assert round(parameters / 1e6, 1) == millions


@pytest.mark.parametrize(
    ("name", "shape"),
    [("preact_resnet18_cifar", (512, 4, 4)), ("wrn16_8_cifar", (512, 8, 8)), ("wrn16_2_cifar", (128, 8, 8))],
)
def test_positions_at_32_px(name, shape):
    model = timm.create_model(name, num_classes=10).eval()
    with torch.no_grad():
        assert model.forward_features(torch.randn(1, 3, 32, 32)).shape == (1, *shape)
    assert model.num_features == model.head_hidden_size == shape[0]


def literal_forward(model, x):
    """The network from its weights and torch's functions alone, in eval mode."""
    weights = model.state_dict()

    def norm(x, prefix):
        names = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(weights[f"{prefix}.{name}"] for name in names))

    x = F.conv2d(x, weights["stem.weight"], padding=1)
    for index, stage in enumerate(model.stages):
        for block in range(len(stage)):
            at = f"stages.{index}.{block}"
            stride = 2 if index > 0 and block == 0 else 1
            active = F.relu(norm(x, f"{at}.norm1"))
            y = F.conv2d(active, weights[f"{at}.conv1.weight"], stride=stride, padding=1)
            y = F.conv2d(F.relu(norm(y, f"{at}.norm2")), weights[f"{at}.conv2.weight"], padding=1)
            project = weights.get(f"{at}.shortcut.weight")
            x = y + (x if project is None else F.conv2d(active, project, stride=stride))
    if "norm.0.weight" in weights:
        x = F.relu(norm(x, "norm.0"))
    return F.linear(x.mean(dim=(2, 3)), weights["head.fc.weight"], weights["head.fc.bias"])


@pytest.mark.parametrize("name", SMALL)
def test_agrees_with_a_literal_forward_pass(name):
    model = timm.create_model(name, num_classes=7, in_chans=2).double()
    images = torch.randn(4, 2, 32, 32, dtype=torch.float64)
    model(images)  # one training pass, so that the running statistics are not their first values
    model.eval()
    torch.testing.assert_close(model(images), literal_forward(model, images))


class PreActResNetOfAlignMixup(nn.Module):
    """The network of the AlignMixup experiments, written out: shortcuts start behind norm and ReLU."""

    def __init__(self, widths, classes):
        super().__init__()
        self.stem, self.stem_norm = (
            nn.Conv2d(3, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
        )
        self.stages, before = nn.ModuleList(), widths[0]
        for index, width in enumerate(widths):
            self.stages.append(convolutions(before, width, 2 if index else 1, bias=False))
            before = width
        self.fc = nn.Linear(before, classes)

    def forward(self, x):
        x = self.stem_norm(self.stem(x)).relu()
        for stage in self.stages:
            y = stage["norm1"](x).relu()
            shortcut = stage["shortcut"](y) if "shortcut" in stage else y
            x = stage["conv2"](stage["norm2"](stage["conv1"](y)).relu()) + shortcut
        return self.fc(x.mean((2, 3)))


class WideResNetOfAlignMixup(nn.Module):
    """Theirs: biases, the second convolution of a block strides, and projections start at the input."""

    def __init__(self, widths, classes):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.stages, before = nn.ModuleList(), 16
        for index, width in enumerate(widths):
            for stride in (2 if index else 1, 1):
                self.stages.append(convolutions(before, width, stride, bias=True, late=True))
                before = width
        self.norm, self.fc = nn.BatchNorm2d(before, momentum=0.9), nn.Linear(before, classes)

    def forward(self, x):
        x = self.stem(x)
        for stage in self.stages:
            y = stage["conv1"](stage["norm1"](x).relu())
            y = stage["conv2"](stage["norm2"](y).relu())
            x = y + (stage["shortcut"](x) if "shortcut" in stage else x)
        return self.fc(self.norm(x).relu().mean((2, 3)))


def convolutions(before, width, stride, bias, late=False):
    first, second = (1, stride) if late else (stride, 1)
    block = {
        "norm1": nn.BatchNorm2d(before),
        "conv1": nn.Conv2d(before, width, 3, first, padding=1, bias=bias),
        "norm2": nn.BatchNorm2d(width),
        "conv2": nn.Conv2d(width, width, 3, second, padding=1, bias=bias),
    }
    if stride != 1 or before != width:
        block["shortcut"] = nn.Conv2d(before, width, 1, stride, bias=bias)
    return nn.ModuleDict(block)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("preact_resnet10_cifar", PreActResNetOfAlignMixup((32, 64, 128, 256), 7)),
        ("wrn16_2_cifar", WideResNetOfAlignMixup((32, 64, 128), 7)),
    ],
)
def test_alignmixups_variant_is_its_experiments_network(name, theirs):
    """The same outputs and running statistics in training, and in eval mode, with the same weights."""
    ours, theirs = timm.create_model(name, num_classes=7, variant="alignmixup").double(), theirs.double()
    sizes = [[p.shape for p in model.parameters()] for model in (ours, theirs)]
    assert sizes[0] == sizes[1]
    for own, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        other.copy_(own)
    images = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    for mode in (True, False):
        torch.testing.assert_close(ours.train(mode)(images), theirs.train(mode)(images))
    for own, other in zip(ours.buffers(), theirs.buffers(), strict=True):
        torch.testing.assert_close(own, other)


def test_alignmixups_variant_is_initialised_as_torch_does():
    for name, more in (("preact_resnet18_cifar", 128), ("wrn16_8_cifar", 4_496)):
        usual, variant = (
            timm.create_model(name, num_classes=100, variant=v) for v in ("manifold_mixup", "alignmixup")
        )
        counts = [sum(p.numel() for p in model.parameters()) for model in (usual, variant)]
        assert counts[1] - counts[0] == more
        for model, bound in ((usual, None), (variant, 1)):
            weight = model.stages[0][0].conv2.weight
            fan_in = weight[0].numel()
            std = (2 / (9 * len(weight))) ** 0.5 if bound is None else (1 / 3 / fan_in) ** 0.5
            assert weight.std().item() == pytest.approx(std, rel=0.03)


@newer_timm
def test_a_variant_is_part_of_what_timm_saves(tmp_path):
    model = timm.create_model("wrn16_2_cifar", num_classes=3, variant="alignmixup").eval()
    save_for_hf(model, tmp_path)
    loaded = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(loaded(images), model(images))
    with pytest.raises(ValueError, match="variant must be one of manifold_mixup, alignmixup, got 'other'"):
        timm.create_model("wrn16_2_cifar", variant="other")


def test_only_the_wide_network_ends_in_a_relu():
    images = torch.randn(2, 3, 32, 32)
    assert timm.create_model("preact_resnet10_cifar").forward_features(images).min() < 0
    assert timm.create_model("wrn16_2_cifar").forward_features(images).min() == 0


@pytest.mark.parametrize("name", NAMES)
def test_default_configuration(name):
    model = timm.create_model(name, device="meta")
    config = timm.data.resolve_model_data_config(model)
    assert config["input_size"] == (3, 32, 32)
    assert config["crop_pct"] == 1.0
    assert config["mean"] == (0.4914, 0.4822, 0.4465)
    modules = dict(model.named_modules())
    assert modules[model.default_cfg["first_conv"]].in_channels == 3
    assert modules[model.default_cfg["classifier"]] is model.get_classifier()
    assert all(info["module"] in modules for info in model.feature_info)


@pytest.mark.parametrize("name", SMALL)
def test_reset_classifier(name):
    model, images = timm.create_model(name, num_classes=7).eval(), torch.randn(2, 3, 32, 32)
    model.reset_classifier(5)
    assert model(images).shape == (2, 5)
    assert model.num_classes == 5
    pre_logits = model.forward_head(model.forward_features(images), pre_logits=True)
    torch.testing.assert_close(model.get_classifier()(pre_logits), model(images))
    model.reset_classifier(4, "catavgmax")
    assert model(images).shape == (2, 4)
    assert model.head_hidden_size == 2 * model.num_features
    model.reset_classifier(0, "")
    assert model(images).shape == model.forward_features(images).shape


@pytest.mark.parametrize("name", SMALL)
def test_intermediates_are_the_stages_outputs(name):
    model, images = timm.create_model(name).eval(), torch.randn(1, 3, 32, 32)
    final, stages = model.forward_intermediates(images, norm=True)
    torch.testing.assert_close(final, model.forward_features(images))
    torch.testing.assert_close(stages[-1], final)
    for info, stage in zip(model.feature_info, stages, strict=True):
        assert stage.shape == (1, info["num_chs"], 32 // info["reduction"], 32 // info["reduction"])
    first = model.forward_intermediates(images, indices=[0], stop_early=True, intermediates_only=True)
    torch.testing.assert_close(first, stages[:1])
    with pytest.raises(ValueError, match="NLC"):
        model.forward_intermediates(images, output_fmt="NLC")
    features_only = timm.create_model(name, features_only=True).eval()
    assert [f.shape for f in features_only(images)] == [s.shape for s in stages]


@pytest.mark.parametrize("name", SMALL)
def test_checkpointing_changes_nothing_and_keeps_hooks(name):
    images, gradients, calls = torch.randn(4, 3, 32, 32), [], 0
    model = timm.create_model(name, num_classes=3)

    def called(*_):
        nonlocal calls
        calls += 1

    model.stages[1].register_forward_pre_hook(called)
    for checkpointing in (False, True):
        model.set_grad_checkpointing(checkpointing)
        model.zero_grad()
        model(images).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])
    assert calls == 3  # once plainly, once under checkpointing, once more when recomputed


@pytest.mark.parametrize("name", SMALL)
def test_groups_grow_with_depth(name):
    model = timm.create_model(name)
    groups = group_parameters(model, model.group_matcher(), reverse=True)
    assert set(groups) == {n for n, _ in model.named_parameters()}
    in_order = [groups[n] for n, _ in model.named_parameters() if not n.startswith("head")]
    assert in_order == sorted(in_order)
    assert in_order[0] < in_order[-1] <= groups["head.fc.weight"]


@newer_timm
@pytest.mark.parametrize("name", SMALL)
def test_timms_directory_format_gives_the_same_logits(name, tmp_path):
    model = timm.create_model(name, num_classes=6, in_chans=1).eval()
    save_for_hf(model, tmp_path)
    loaded = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    images = torch.randn(2, 1, 32, 32)
    assert torch.equal(loaded(images), model(images))
    other = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, num_classes=3)
    assert torch.equal(other.stem.weight, model.stem.weight)
    assert other(images).shape == (2, 3)


def test_compiles_in_one_graph():
    model, images = timm.create_model("wrn16_2_cifar").eval(), torch.randn(2, 3, 16, 16)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), model(images))


@pytest.mark.parametrize("name", SMALL)
def test_dropping_acts_in_training_only(name):
    model, images = timm.create_model(name, drop_rate=0.5, drop_path_rate=0.5), torch.randn(4, 3, 32, 32)
    assert not torch.equal(model(images), model(images))
    features = model.forward_features(images)
    assert not torch.equal(model.forward_head(features), model.forward_head(features))
    assert not torch.equal(model.forward_features(images), features)
    model.eval()
    assert torch.equal(model(images), model(images))


def test_memorises_a_batch():
    torch.manual_seed(0)
    model = timm.create_model("preact_resnet10_cifar", num_classes=4)
    images, labels = torch.randn(16, 3, 16, 16), torch.arange(16) % 4
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(12):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.2
