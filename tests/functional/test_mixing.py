"""Draws of the pure functions against slow loops written from the papers' formulas."""

import inspect
import math
import pickle
import pydoc
import typing

import pytest
import torch

from timm_multimix import functional as F


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def slow_pairs(x, lam, partner):
    """mixup, equation 1, one example at a time."""
    lam = lam.expand(len(x))
    return torch.stack([lam[i] * x[i] + (1 - lam[i]) * x[partner[i]] for i in range(len(x))])


def slow_tuples(x, weights):
    """MultiMix: each row's weighted sum over the examples."""
    return torch.stack([sum(w * example for w, example in zip(row, x, strict=True)) for row in weights])


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("shape", [(5, 3, 4, 4), (5, 7), (1, 3, 2, 2), (3,)])
def test_mixup_is_the_formula(shape, per_sample):
    x, targets = torch.rand(shape), torch.rand(shape[0], 6)
    mixed, draw = F.mixup(x, 0.8, per_sample, generator=generator())
    assert draw.lam.shape == (shape[0] if per_sample else 1,)
    assert sorted(draw.partner.tolist()) == list(range(shape[0]))
    torch.testing.assert_close(mixed, slow_pairs(x, draw.lam, draw.partner))
    torch.testing.assert_close(draw.targets(targets), slow_pairs(targets, draw.lam, draw.partner))


def test_sample_pairing_averages_and_keeps_the_first_label():
    x, targets = torch.rand(6, 3, 4, 4), torch.rand(6, 5)
    mixed, draw = F.sample_pairing(x, generator=generator())
    torch.testing.assert_close(mixed, (x + x[draw.draw.partner]) / 2)
    assert draw.targets(targets) is targets


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("correct", [False, True])
@pytest.mark.parametrize("size", [(9, 12), (1, 1), (32, 32)])
def test_cutmix_pastes_one_box_and_weighs_by_area(size, correct, per_sample):
    x, targets = torch.rand(7, 3, *size), torch.eye(7)
    mixed, draw = F.cutmix(x, 1.0, per_sample, correct, generator=generator())
    partner, lam = draw.partner, draw.lam.expand(7)
    for i in range(7):
        own = (mixed[i] == x[i]).all(0)
        assert (own | (mixed[i] == x[partner[i]]).all(0)).all()
        if partner[i] == i:
            continue
        rows, columns = torch.where(~own)
        box = torch.zeros_like(own)
        if len(rows):
            box[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
        assert torch.equal(~own, box)
        if correct:
            assert lam[i].item() == pytest.approx(own.float().mean().item())
    torch.testing.assert_close(draw.targets(targets), slow_pairs(targets, draw.lam, partner))


def test_cutmix_boxes_have_the_area_of_the_drawn_lambda():
    """Before clipping, each side is floor(sqrt(1 - lambda) length); boxes inside the image keep that area."""
    x, length = torch.zeros(4_000, 1, 100, 100), 100
    _, draw = F.cutmix(x, 1.0, per_sample=True, correct=False, generator=generator())
    area = (1 - draw.keep).sum((1, 2, 3))
    expected = ((1 - draw.lam).sqrt() * length).long().float() ** 2
    assert (area <= expected).all()
    assert (area == expected).float().mean() > 0.15
    _, corrected = F.cutmix(x, 1.0, per_sample=True, correct=True, generator=generator())
    # E[1 - lambda] = 1/2 before clipping; clipping can only take away from the box.
    assert 0.5 < corrected.lam.mean() < 0.75


def test_cutmix_needs_maps():
    with pytest.raises(ValueError, match=r"\[b, ch, h, w\], got \[3, 4\]"):
        F.cutmix(torch.rand(3, 4))


@pytest.mark.parametrize("shape", [(5, 3, 4, 4), (5, 7), (1, 2)])
@pytest.mark.parametrize("m", [None, 2])
def test_multimix_is_the_formula(shape, m):
    x, targets = torch.rand(shape), torch.rand(shape[0], 6)
    mixed, draw = F.multimix(x, n=9, m=m, generator=generator())
    torch.testing.assert_close(mixed, slow_tuples(x, draw.weights))
    torch.testing.assert_close(draw.targets(targets), slow_tuples(targets, draw.weights))


@pytest.mark.parametrize("alpha_per_example", [False, True])
def test_alpha_is_drawn_from_its_range(alpha_per_example):
    """Var of a Dirichlet weight averaged over alpha ~ U[0.5, 2] (shared) against quadrature."""
    b, x = 4, torch.zeros(4, 1)
    variances = [
        F.multimix(x, n=400, alpha=(0.5, 2.0), alpha_per_example=alpha_per_example, generator=generator(s))[1]
        .weights.var(0)
        .mean()
        for s in range(300)
    ]
    grid = torch.linspace(0.5, 2.0, 1001)
    expected = ((1 / b) * (1 - 1 / b) / (b * grid + 1)).mean().item()
    tolerance = 0.05 if not alpha_per_example else 0.2
    assert torch.stack(variances).mean().item() == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("shared", [False, True])
def test_dense_weights_are_the_formula(shared):
    """M^j = W^j a^j, l1-normalised over the examples at each position."""
    attention = torch.rand(3, 5)
    factors = F.dirichlet_weights(4 if shared else 12, 5, 1.3, generator=generator()).view(-1, 4, 5)
    weights = F.dense_weights(attention, n=4, alpha=1.3, shared=shared, generator=generator())
    for j in range(3):
        for k in range(4):
            row = factors[0 if shared else j, k] * attention[j]
            torch.testing.assert_close(weights[j, k], row / row.sum())


def test_clean_tuples_are_single_examples_in_turn():
    x = torch.rand(3, 2)
    weights, plain = (F.multimix.draw(x, 10, clean=c, generator=generator()).weights for c in (0.4, 0.0))
    assert torch.equal(weights[:4], torch.eye(3)[[0, 1, 2, 0]])
    assert torch.equal(weights[4:], plain[4:])
    assert torch.equal(F.multimix.draw(x, 3, clean=1.0).weights, torch.eye(3))
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"clean must be a number from 0 to 1, got"):
            F.multimix(x, clean=share)


@pytest.mark.parametrize("shared", [False, True])
def test_clean_tuples_are_single_examples_at_every_position(shared):
    options = {"n": 10, "shared": shared}
    attention = torch.rand(2, 3, dtype=torch.float64)
    attention[0, 0] = 0.0
    weights, plain = (
        F.dense_weights(attention, clean=c, generator=generator(), **options) for c in (0.4, 0.0)
    )
    assert weights.dtype == torch.float64
    assert torch.equal(weights[:, :4], torch.eye(3).double()[[0, 1, 2, 0]].expand(2, -1, -1))
    assert torch.equal(weights[:, 4:], plain[:, 4:])


@pytest.mark.parametrize("clean", [0.25, 0.5])
def test_clean_weighs_a_clean_term_in_the_loss(clean):
    logits, labels = torch.randn(5, 4), torch.tensor([0, 3, 1, 1, 2])
    weights = F.multimix.draw(logits, 100, clean=clean, generator=generator()).weights
    mixed = F.multimix_loss(logits, labels, weights[round(100 * clean) :])
    expected = clean * torch.nn.functional.cross_entropy(logits, labels) + (1 - clean) * mixed
    torch.testing.assert_close(F.multimix_loss(logits, labels, weights), expected)


def test_attention_gets_the_gradient_of_the_formula():
    """Attention stays clear of 0, where the weights have a kink that differences would cross."""
    attention = (0.1 + torch.rand(3, 5, dtype=torch.float64)).requires_grad_()

    def weights(a):
        return F.dense_weights(a, n=4, m=2, clean=0.25, generator=generator())

    assert torch.autograd.gradcheck(
        lambda a: weights(a.float()), (attention,), eps=1e-3, atol=1e-2, rtol=1e-2
    )


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("m", [None, 2])
def test_a_tuple_without_attention_is_weighted_as_with_equal_attention(shared, m):
    """At position 0 nobody has attention, at 1 examples 0 and 1 have not, of which some pairs consist."""
    attention = torch.tensor([[0.0, 0, 0, 0], [0, 0, 0.5, 2], [1, 1, 1, 1]])
    factors = F.dirichlet_weights(40 if shared else 120, 4, 1.3, m, generator=generator()).view(-1, 40, 4)
    weights = F.dense_weights(attention, n=40, m=m, alpha=1.3, shared=shared, generator=generator())
    empty = 0
    for j in range(3):
        for k in range(40):
            own = factors[0 if shared else j, k]
            row = own * attention[j]
            empty += row.sum().item() == 0
            expected = row / row.sum() if row.sum() > 0 else own
            torch.testing.assert_close(weights[j, k], expected)
    assert empty > (40 if m == 2 else 39)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_attention_of_zero_leaves_the_gradient_finite(dtype):
    attention = torch.tensor([[0.0, 0, 0], [0, 0.5, 2], [1, 1, 1]], dtype=dtype, requires_grad=True)
    weights = F.dense_weights(attention, n=20, generator=generator())
    loss = F.multimix_loss(torch.randn(3, 3, 4, generator=generator()), torch.tensor([0, 1, 2]), weights)
    loss.backward()
    assert loss.isfinite()
    assert attention.grad.isfinite().all()
    assert torch.equal(attention.grad[0], torch.zeros(3, dtype=dtype))
    assert (attention.grad[2] != 0).any()


def test_dense_multimix_mixes_each_position():
    x, attention = torch.rand(3, 5, 2, 2), torch.rand(3, 5)
    mixed, draw = F.dense_multimix(x, attention, n=4, generator=generator())
    for j in range(3):
        torch.testing.assert_close(mixed[j], slow_tuples(x[j], draw.weights[j]))
    targets = torch.rand(5, 6)
    torch.testing.assert_close(draw.targets(targets)[1], slow_tuples(targets, draw.weights[1]))


@pytest.mark.parametrize("function", [F.none, F.sample_pairing, F.mixup, F.cutmix, F.multimix])
def test_the_same_generator_gives_the_same_draw(function):
    x = torch.rand(5, 3, 8, 8)
    before = x.clone()
    torch.testing.assert_close(*(function(x, generator=generator(4))[0] for _ in range(2)), rtol=0, atol=0)
    assert torch.equal(x, before)


def test_lambda_has_the_moments_of_beta():
    """Mean 1/2 and variance 1 / (4 (2 alpha + 1))."""
    _, draw = F.mixup(torch.zeros(30_000), alpha=0.4, per_sample=True, generator=generator())
    assert draw.lam.mean().item() == pytest.approx(0.5, abs=5 * math.sqrt(0.14 / 30_000))
    assert draw.lam.var().item() == pytest.approx(1 / (4 * 1.8), rel=0.03)


def test_dtype_and_memory_format_are_kept():
    x = torch.rand(4, 3, 8, 8).to(memory_format=torch.channels_last)
    for function in (F.mixup, F.cutmix):
        assert function(x)[0].is_contiguous(memory_format=torch.channels_last)
        assert function(x.bfloat16())[0].dtype == torch.bfloat16
    assert F.multimix(x.double(), n=3)[0].dtype == torch.float64


def test_complex_tensors_stay_complex():
    x = torch.randn(4, 3, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    mixed, draw = F.mixup(x)
    lam = draw.lam[:, None]
    torch.testing.assert_close(mixed, lam * x + (1 - lam) * x[draw.partner])


def test_a_list_stands_for_a_pair_of_bounds():
    assert F.multimix(torch.rand(8, 4), n=3, alpha=[0.5, 2.0])[0].shape == (3, 4)


@pytest.mark.parametrize("m", [None, 2])
def test_tuples_keep_the_memory_format_of_images(m):
    torch.manual_seed(0)
    images = torch.randn(6, 3, 4, 4)
    draw = F.multimix.draw(images, n=5, m=m)
    mixed = draw(images.to(memory_format=torch.channels_last))
    assert mixed.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(mixed, draw(images))
    assert draw(images).is_contiguous()


@pytest.mark.parametrize("name", [name for name in F.__all__ if hasattr(getattr(F, name), "draw")])
def test_a_mixing_function_is_a_function_with_its_real_signature(name):
    """As help() and editors show it; it is pickled by its name, as functions are."""
    function = getattr(F, name)
    signature, drawn = inspect.signature(function), inspect.signature(function.draw)
    assert (
        signature.return_annotation
        == typing.get_type_hints(function)["return"]
        == tuple[torch.Tensor, F.Draw]
    )
    assert drawn.return_annotation is F.Draw
    assert [(each.name, each.kind, each.default) for each in signature.parameters.values()] == [
        (each.name, each.kind, each.default) for each in drawn.parameters.values()
    ]
    assert pickle.loads(pickle.dumps(function)) is function
    text = pydoc.plain(pydoc.render_doc(function))
    assert f"{name}(x: torch.Tensor" in text.replace("\n    ", "").replace("\n", "")
    assert function.__doc__.partition("\n")[0] in text


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: F.mixup(x, -1), "alpha must be a finite number of at least 0, got -1"),
        (lambda x: F.mixup(x, per_sample=1), "per_sample must be True or False, got 1"),
        (lambda x: F.multimix(x, 2.5), "n must be an integer of at least 1, got 2.5"),
        (lambda x: F.multimix(x, m=0), "m must be an integer of at least 1 or None, got 0"),
        (lambda x: F.multimix(x, alpha=(2, 1)), r"alpha must be .* low <= high, got \(2, 1\)"),
        (lambda x: F.puzzlemix(x, x[:, 0], labels=1), "labels must be an integer of at least 2, got 1"),
        (lambda x: F.alignmixup(x.flatten(2), epsilon=0), "epsilon must be a positive number, got 0"),
    ],
)
def test_checks_in_types_hold_in_plain_calls(call, said):
    with pytest.raises(ValueError, match=said):
        call(torch.rand(4, 3, 8, 8))
