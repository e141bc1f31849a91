"""Dense logits over timm's heads: against the ordinary output, and against slow loops in float64."""

import warnings

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

from timm_multimix.errors import UsageError
from timm_multimix.sites import positions as module
from timm_multimix.sites.positions import dense_forward

SWIN = {
    "img_size": 64,
    "patch_size": 8,
    "window_size": 2,
    "embed_dim": 16,
    "depths": (1, 1),
    "num_heads": (1, 2),
}
VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2}
LEVIT = {"img_size": 96, "embed_dim": (16, 24, 32), "num_heads": (2, 2, 2), "depth": (1, 1, 1)}

# name: (arguments, image side, layout, prefix tokens, class tokens read)
MODELS = {
    "test_resnet": ({}, 64, "nchw", 0, False),
    "test_byobnet": ({}, 64, "nchw", 0, False),
    "test_convnext": ({}, 64, "nchw", 0, False),
    "test_efficientnet": ({}, 64, "nchw", 0, False),
    "test_nfnet": ({}, 64, "nchw", 0, False),
    "test_coatnet": ({"img_size": 64}, 64, "nchw", 0, False),
    "test_maxvit": ({"img_size": 64}, 64, "nchw", 0, False),
    "mobilenetv4_conv_small_035": ({}, 64, "nchw", 0, False),
    "repvit_m0_9": ({"embed_dim": (8, 8, 16, 24), "depth": (1, 1, 1, 1)}, 64, "nchw", 0, False),
    "efficientvit_b0": ({}, 64, "nchw", 0, False),
    "efficientvit_m0": ({"img_size": 128}, 128, "nchw", 0, False),
    "shvit_s1": ({}, 128, "nchw", 0, False),
    "test_mambaout": ({}, 64, "nhwc", 0, False),
    "swin_tiny_patch4_window7_224": (SWIN, 64, "nhwc", 0, False),
    "test_vit": ({"img_size": 64}, 64, "tokens", 1, True),
    "test_vit3": ({"img_size": 64}, 64, "tokens", 1, True),
    "test_vit4": ({"img_size": 64}, 64, "tokens", 1, False),
    "test_vit_relpos": ({"img_size": 64}, 64, "tokens", 0, False),
    "deit_tiny_distilled_patch16_224": (VIT, 32, "tokens", 2, True),
    "beit_base_patch16_224": (VIT, 32, "tokens", 1, False),
    "cait_xxs24_224": (VIT, 32, "tokens", 1, True),
    "xcit_nano_12_p8_224": ({**VIT, "img_size": 64}, 64, "tokens", 1, True),
    "levit_128s": (LEVIT, 96, "tokens", 0, False),
    "gmlp_ti16_224": ({"img_size": 64}, 64, "tokens", 0, False),
    "coat_lite_tiny": ({"img_size": 64}, 64, "tokens", 1, True),
    "pit_ti_224": ({"img_size": 64}, 64, "class tokens", 1, True),
    "pit_ti_distilled_224": ({"img_size": 64}, 64, "class tokens", 2, True),
    "coat_tiny": ({"img_size": 64}, 64, "branches", 1, True),
    "crossvit_tiny_240": ({"depth": ((1, 1, 0),)}, 240, "branches", 1, True),
    "efficientvim_m1_dist": ({}, 128, "branches", 0, False),
}
HEAD_NORMS = ["levit_128s", "repvit_m0_9", "efficientvit_m0", "shvit_s1", "mobilenetv4_conv_small_035"]
POOL_AND_LINEAR = [
    "test_resnet",
    "test_byobnet",
    "test_efficientnet",
    "test_nfnet",
    "test_coatnet",
    "efficientvim_m1_dist",
    *HEAD_NORMS[:4],
]
CLASS_TOKENS = [name for name, row in MODELS.items() if row[4]]
every_model = pytest.mark.parametrize("name", MODELS)


def build(name, **more):
    arguments, side = MODELS[name][:2]
    torch.manual_seed(0)
    model = timm.create_model(name, **{"num_classes": 5, **arguments, **more})
    return model, torch.randn(3, 3, side, side)


def average(output):
    return sum(output) / len(output) if isinstance(output, tuple) else output


def snapshot(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


@every_model
@pytest.mark.parametrize("training", [True, False])
def test_logits_and_buffers_are_those_of_the_plain_pass(name, training):
    model, images = build(name)
    model.train(training)
    start = snapshot(model)
    torch.manual_seed(1)
    expected = average(model(images))
    after_plain = snapshot(model)
    model.load_state_dict(start)
    torch.manual_seed(1)
    dense = dense_forward(model, images)
    assert torch.equal(dense.logits, expected)
    for key, value in model.state_dict().items():
        assert torch.equal(value, after_plain[key]), key
    assert all(part.training == training for part in model.modules())


def slow_positions(model, images, layout, prefix):
    """Position by position, image by image, through the head in eval mode."""
    branches, rows = slow_features(model, images, layout), []
    for place in range(prefix, branches[-1].shape[1]):
        tokens = [branch[:, prefix:].mean(dim=1) for branch in branches[:-1]] + [branches[-1][:, place]]
        several = [torch.stack([token] * (prefix + 1), dim=1) for token in tokens]
        one = several if layout == "branches" else several[0]
        if layout == "branches" and not prefix:
            one = [token.transpose(1, 2) for token in several]
        elif layout in ("nchw", "nhwc"):
            one = one[:, 0, :, None, None] if layout == "nchw" else one[:, 0, None, None, :]
        heads = [model.forward_head(cut(one, i)) for i in range(len(images))]
        rows.append(torch.cat(heads))
    return torch.stack(rows), branches[-1][:, prefix:]


def cut(features, i):
    """The features of image i alone."""
    return [part[i : i + 1] for part in features] if isinstance(features, list) else features[i : i + 1]


def slow_features(model, images, layout):
    """The features as tokens [b, t, d], of each branch."""
    if layout == "class tokens":
        ends = []
        handle = model.transformers[-1].register_forward_hook(lambda _, args, out: ends.append(out))
        model(images)
        handle.remove()
        tokens = [ends[0][1], ends[0][0].flatten(2).transpose(1, 2)]
        return [model.norm(torch.cat(tokens, dim=1))]
    features = model.forward_features(images)
    if layout == "branches":
        first = isinstance(model.get_classifier(), tuple)  # efficientvim: [b, d, t]
        return [part.transpose(1, 2) if first else part for part in features]
    if layout == "nhwc":
        features = features.permute(0, 3, 1, 2)
    return [features if layout == "tokens" else features.flatten(2).permute(0, 2, 1)]


def slow_attention(tokens):
    attention = torch.empty(tokens.shape[1], tokens.shape[0], dtype=tokens.dtype)
    for i, example in enumerate(tokens):
        mean = example.mean(dim=0)
        scores = [max(float(token @ mean), 0.0) + 1e-6 for token in example]
        attention[:, i] = torch.tensor(scores, dtype=tokens.dtype) / sum(scores)
    return attention


@every_model
def test_agrees_with_a_loop_over_positions(name):
    model, images = build(name)
    model, images = model.double().eval(), images.double()
    _, _, layout, prefix, class_tokens = MODELS[name]
    with torch.no_grad():
        dense = dense_forward(model, images)
        expected, tokens = slow_positions(model, images, layout, prefix)
        attention = slow_attention(tokens)
        if class_tokens:
            expected = torch.cat([expected, model(images)[None]])
            attention = torch.cat([attention, torch.ones(1, 3)])
    assert dense.class_tokens is class_tokens
    torch.testing.assert_close(dense.positions, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(dense.attention, attention, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", POOL_AND_LINEAR)
@pytest.mark.parametrize("training", [True, False])
def test_mean_of_positions_is_the_logits_of_pooling_and_linear_heads(name, training):
    model, images = build(name)
    dense = dense_forward(model.train(training), images)
    assert len(dense.positions) > 1
    torch.testing.assert_close(dense.positions.mean(dim=0), dense.logits, rtol=0, atol=5e-6)


@pytest.mark.parametrize("name", ["coat_tiny", "crossvit_tiny_240"])
def test_mean_of_positions_is_the_logits_where_several_branches_are_averaged(name):
    model, images = build(name, global_pool="avg")
    dense = dense_forward(model, images)
    assert len(dense.positions) > 1
    assert not dense.class_tokens
    torch.testing.assert_close(dense.positions.mean(dim=0), dense.logits, rtol=0, atol=5e-6)


@every_model
def test_gradients_are_finite_and_reach_what_the_plain_loss_reaches(name):
    model, images = build(name)
    model, images = model.double(), images.double()
    # Weights that begin with zeros (classifiers, layer scales) would hide what lies before them.
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1) if not parameter.any() else None

    def reached(loss):
        model.zero_grad(set_to_none=True)
        loss.backward()
        gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        assert all(g.isfinite().all() for g in gradients.values())
        return {n for n, g in gradients.items() if g.norm() > 1e-12}

    labels = torch.arange(3)
    plain = reached(F.cross_entropy(average(model(images)), labels))
    dense = dense_forward(model, images)
    rows = dense.positions.flatten(0, 1)
    assert plain - reached(F.cross_entropy(rows, labels.repeat(len(dense.positions)))) == set()


@pytest.mark.parametrize("name", ["levit_128s", "repvit_m0_9"])
def test_positions_of_a_norm_in_the_head_use_the_pooled_statistics(name):
    model, images = build(name)
    model, images = model.double(), images.double()
    features = model.forward_features(images)
    dense = dense_forward(model, images)
    tokens = features if features.ndim == 3 else features.flatten(2).transpose(1, 2)
    pooled, heads = tokens.mean(dim=1), []
    for head in (p for p in model.modules() if type(p).__name__ == "NormLinear"):
        norm, linear = head.bn, list(head.children())[-1]
        scale = norm.weight / (pooled.var(dim=0, correction=0) + norm.eps).sqrt()
        heads.append(linear((tokens - pooled.mean(dim=0)) * scale + norm.bias))
    expected = (sum(heads) / len(heads)).transpose(0, 1)
    torch.testing.assert_close(dense.positions, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", HEAD_NORMS[:4])
def test_statistics_carry_their_gradient(name):
    """With it, the mean of the positions moves as the logits do, wherever the rest of the head is linear."""
    model, images = build(name)
    model, images = model.double(), images.double()
    dense = dense_forward(model, images)
    weights = [p for n, p in model.named_parameters() if p.ndim > 1]
    direct = torch.autograd.grad(dense.logits.square().sum(), weights, retain_graph=True, allow_unused=True)
    mean = torch.autograd.grad(dense.positions.mean(dim=0).square().sum(), weights, allow_unused=True)
    for a, b in zip(direct, mean, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-8)


def test_a_norm_in_eval_mode_inside_a_training_model_keeps_its_running_statistics():
    model, images = build("levit_128s")
    norms = [
        part for n, part in model.named_modules() if n.startswith("head") and isinstance(part, nn.BatchNorm1d)
    ]
    assert norms
    for norm in norms:
        norm.eval()
        nn.init.uniform_(norm.running_mean)
    dense = dense_forward(model, images)
    torch.testing.assert_close(dense.positions.mean(dim=0), dense.logits, rtol=0, atol=5e-6)
    assert not any(norm.training for norm in norms)


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


@every_model
def test_attention_is_a_distribution_and_has_no_gradient(name):
    model, images = build(name)
    dense = dense_forward(model, images)
    spatial = dense.attention[:-1] if dense.class_tokens else dense.attention
    assert not dense.attention.requires_grad
    assert (spatial > 0).all()
    torch.testing.assert_close(spatial.sum(dim=0), torch.ones(3))
    assert dense.attention.shape == dense.positions.shape[:2]
    assert not dense.class_tokens or torch.equal(dense.attention[-1], torch.ones(3))


def test_attention_of_known_embeddings():
    embeddings = torch.tensor([[[2.0, 0.0]], [[0.0, 1.0]], [[-1.0, 0.0]]])  # r 3, b 1; the mean is (1/3, 1/3)
    torch.testing.assert_close(
        module.attend(embeddings), torch.tensor([[2 / 3], [1 / 3], [0.0]]), atol=2e-6, rtol=0
    )
    uniform = module.attend(torch.zeros(4, 2, 3, dtype=torch.float64))
    assert torch.equal(uniform, torch.full((4, 2), 0.25, dtype=torch.float64))


def test_attention_with_gradient_reaches_the_backbone():
    model, images = build("test_resnet")
    dense = dense_forward(model, images, attention_grad=True)
    dense.attention[0].sum().backward()
    assert model.fc.weight.grad is None
    assert model.conv1[0].weight.grad.norm() > 0


def test_features_of_one_position_give_the_logits_and_warn_once():
    model = timm.create_model("test_resnet", num_classes=5).eval()
    images = torch.randn(3, 3, 32, 32)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dense = dense_forward(model, images)
        dense_forward(model, images)
    assert [str(w.message) for w in caught if "dense_multimix is multimix" in str(w.message)] == [
        "ResNet's head reads no map of positions here: dense_multimix is multimix"
    ]
    assert torch.equal(dense.positions, dense.logits[None])
    assert torch.equal(dense.logits, model(images))
    assert torch.equal(dense.attention, torch.ones(1, 3))
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
        with pytest.warns(UserWarning, match="dense_multimix is multimix"):
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


@pytest.mark.parametrize("name", ["deit_tiny_distilled_patch16_224", "levit_128s"])
def test_a_distilled_models_two_outputs_are_averaged(name):
    model, images = build(name)
    model.set_distilled_training(True)
    outputs = model(images)
    dense = dense_forward(model, images)
    torch.testing.assert_close(dense.logits, (outputs[0] + outputs[1]) / 2)
    assert dense.positions.shape[1:] == (3, 5)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "levit_128s", "swin_tiny_patch4_window7_224"])
def test_bfloat16_autocast(name):
    model, images = build(name)
    exact = dense_forward(model, images)
    model, _ = build(name)
    with torch.autocast("cpu", torch.bfloat16):
        dense = dense_forward(model, images)
    assert dense.class_tokens is exact.class_tokens
    assert dense.attention.dtype is torch.float32
    tolerance = {"rtol": 0, "atol": 0.2 * float(exact.positions.detach().abs().max())}
    torch.testing.assert_close(dense.positions.float(), exact.positions, **tolerance)
    dense.positions.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", ["test_resnet", "levit_128s", "test_vit"])
def test_checkpointing_gives_the_same_gradients(name):
    gradients = []
    for checkpointing in (False, True):
        model, images = build(name)
        model.set_grad_checkpointing(checkpointing)
        dense_forward(model, images).positions.square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    torch.testing.assert_close(*gradients)


def test_channels_last():
    model, images = build("test_resnet")
    expected = dense_forward(model.eval(), images).positions
    dense = dense_forward(
        model.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    )
    torch.testing.assert_close(dense.positions, expected)


def test_a_compiled_model_is_unwrapped_and_compiled_parts_are_used():
    model, images = build("levit_128s")
    expected = dense_forward(model.eval(), images)
    features = torch.compile(model.forward_features, backend="eager")
    head = torch.compile(model.forward_head, backend="eager")
    dense = dense_forward(torch.compile(model, backend="eager"), images, features=features, head=head)
    torch.testing.assert_close(dense.positions, expected.positions)
    model.train()
    start = snapshot(model)
    expected, after = dense_forward(model, images), snapshot(model)
    model.load_state_dict(start)
    dense = dense_forward(model, images, features=features, head=head)
    torch.testing.assert_close(dense.positions, expected.positions)
    torch.testing.assert_close(dict(model.state_dict()), after)


def test_dropout_in_the_head_differs_between_positions():
    model, images = build("test_resnet", drop_rate=0.5)
    features = torch.ones(2, model.num_features, 2, 2)
    dense = dense_forward(model, images[:2], features=lambda _: features)
    assert not torch.equal(dense.positions[0], dense.positions[1])


def test_errors_say_what_was_given():
    images = torch.randn(2, 3, 32, 32)
    with pytest.raises(UsageError, match="Linear without forward_features; it takes"):
        dense_forward(nn.Linear(3, 3), images)
    with pytest.raises(UsageError, match="ResNet that gives no logits"):
        dense_forward(timm.create_model("test_resnet", num_classes=0), images)
    with pytest.raises(UsageError, match="VisionTransformer that gives no logits"):
        dense_forward(timm.create_model("test_vit3", img_size=32, num_classes=3, global_pool=""), images)

    class Encoder(nn.Module):
        num_features, forward_features = 8, staticmethod(lambda x: torch.ones(2, 5, 8))

        def forward_head(self, x):
            raise NotImplementedError

    with pytest.raises(UsageError, match="Encoder that gives no logits"):
        dense_forward(Encoder(), images)
