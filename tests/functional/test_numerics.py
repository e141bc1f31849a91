"""Losses under difficult numerics: gradients, bfloat16, few and many classes, any order of the batch."""

from dataclasses import replace
from functools import singledispatch

import pytest
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from timm_multimix import MixTask, create_mixer
from timm_multimix import functional as F
from timm_multimix.errors import UsageError
from timm_multimix.functional.choose import Chosen
from timm_multimix.functional.criteria import CRITERIA
from timm_multimix.functional.many import ManyPairs
from timm_multimix.functional.resize import Resized
from timm_multimix.mixers import Context

B, R, C = 4, 3, 5
ROUNDING = 2.0**-8  # of bfloat16, relative


def targets(b=B, c=C, dtype=torch.float64):
    return torch.rand(b, c, dtype=dtype).softmax(-1)


def literal(logits, soft, kind):
    """torch's own loss."""
    own = {"softmax": nnf.cross_entropy, "sigmoid": nnf.binary_cross_entropy_with_logits, "mse": nnf.mse_loss}
    return own[kind](logits, soft)


def draws():
    """Draws for B examples, and the shapes of logits that they mix."""
    lam, partner = torch.rand(B, dtype=torch.float64), torch.randperm(B)
    pairs, tuples = F.Pairs(lam, partner), F.Tuples(F.dirichlet_weights(7, B, 1.0).double())
    dense = F.Tuples(F.dense_weights(torch.rand(R, B), n=7).double())
    many = ManyPairs(torch.rand(2, B, dtype=torch.float64), partner)
    chosen = Chosen((pairs, F.Identity()), torch.tensor([0, 1, 1, 0]))
    plain = {"identity": F.Identity(), "pairs": pairs, "keep": F.KeepTargets(pairs), "tuples": tuples}
    plain |= {"many": many, "chosen": chosen}
    found = {name: (draw, (B, C)) for name, draw in plain.items()}
    found |= {f"{name} at positions": (plain[name], (R, B, C)) for name in ("identity", "pairs", "tuples")}
    return found | {"dense": (dense, (R, B, C))}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", draws())
@pytest.mark.parametrize("kind", CRITERIA)
def test_gradients_of_mixed_logits_by_finite_differences(name, kind):
    draw, shape = draws()[name]
    logits, soft = torch.randn(shape, dtype=torch.float64, requires_grad=True), targets()
    assert torch.autograd.gradcheck(lambda z: F.mixed_loss(draw, z, soft, kind), (logits,))


@pytest.mark.parametrize(
    ("positions", "shape"),
    [((), (6, B)), ((R,), (6, B)), ((R,), (R, 6, B))],
    ids=["plain", "dense, shared", "dense, own"],
)
@pytest.mark.parametrize("kind", CRITERIA)
def test_gradients_by_logits_and_weights_by_finite_differences(kind, positions, shape):
    logits = torch.randn(*positions, B, C, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    soft = targets() * 1.5  # whose rows need not add up to one
    assert torch.autograd.gradcheck(lambda z, w: F.multimix_loss(z, soft, w, kind=kind), (logits, weights))


@pytest.mark.parametrize("kind", CRITERIA)
def test_bfloat16_logits_within_their_rounding(kind):
    """The loss is Lipschitz in the logits: by 2 (softmax), 1 (sigmoid), 2 max |L - T| (mse)."""
    logits, soft = 5 * torch.randn(R, 32, 10), targets(32, 10, torch.float32)
    weights = F.dirichlet_weights(200, 32, 1.0)
    rounded = logits.bfloat16()
    assert rounded.float().ne(logits).any()
    steepness = {"softmax": 2.0, "sigmoid": 1.0, "mse": 2 * (logits.abs().max() + 1)}[kind]
    bound = steepness * ROUNDING * logits.abs().max()
    exact = F.multimix_loss(logits, soft, weights, kind=kind)
    assert (F.multimix_loss(rounded, soft, weights, kind=kind) - exact).abs() <= bound


@pytest.mark.parametrize("kind", CRITERIA)
def test_bfloat16_gradients_within_two_per_cent(kind):
    logits, soft = torch.randn(32, 10), targets(32, 10, torch.float32)
    weights = F.dirichlet_weights(200, 32, 1.0)
    found = []
    for dtype in (torch.float32, torch.bfloat16):
        leaf = logits.to(dtype, copy=True).requires_grad_()
        F.multimix_loss(leaf, soft, weights, kind=kind).backward()
        found.append(leaf.grad.float())
    assert (found[1] - found[0]).norm() <= 0.02 * found[0].norm()


@pytest.mark.parametrize("kind", CRITERIA)
@pytest.mark.parametrize("c", [1, 2, 20_000])
@pytest.mark.parametrize("b", [1, 6])
def test_few_classes_and_many(kind, b, c):
    logits = torch.randn(b, c, dtype=torch.float64, requires_grad=True)
    soft, weights = targets(b, c), F.dirichlet_weights(9, b, 0.5).double()
    weights = weights / weights.sum(1, keepdim=True)
    found = []
    for loss in (
        F.multimix_loss(logits, soft, weights, kind=kind),
        literal(weights @ logits, weights @ soft, kind),
    ):
        found.append((loss, *torch.autograd.grad(loss, logits)))
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-15)
    if c == 1 and kind == "softmax":
        assert found[0][0] == 0


@pytest.mark.parametrize("spec", ["mixup", "cutmix", "multimix(p=1)", "dense_multimix(p=1)", "zeta_mixup"])
@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize(("b", "c"), [(1, 1), (5, 1), (1, 20_000), (5, 20_000)])
def test_tasks_of_one_class_and_of_20_000(spec, criterion, b, c):
    model = Network(c)
    task = MixTask(model, spec, criterion=criterion).train()
    labels = torch.randint(c, (b,))
    if c == 1 and criterion == "softmax":  # its gradient is always 0
        with pytest.raises(UsageError, match="criterion must be sigmoid or mse for a model of one output"):
            task(torch.rand(b, 3, 4, 4), labels)
        return
    out = task(torch.rand(b, 3, 4, 4), labels.float() if c == 1 and criterion != "softmax" else labels)
    out["loss"].backward()
    assert out["loss"].isfinite()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("kind", CRITERIA)
def test_classes_without_examples_are_only_pushed_down(kind):
    logits = torch.rand(8, 6, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1] * 4)
    soft = F.soft_targets(labels, 6).double()
    F.multimix_loss(logits, soft, F.dirichlet_weights(50, 8, 1.0).double(), kind=kind).backward()
    assert (logits.grad[:, 2:] > 0).all()


class Network(nn.Module):
    """A convolution, average pooling and a linear head, as timm has them."""

    def __init__(self, c):
        super().__init__()
        self.num_classes, self.num_features = c, 4
        self.feature_info = ({"module": "stem"},)
        self.stem, self.head = nn.Conv2d(3, 4, 2, 2), nn.Linear(4, c)

    def forward_features(self, x):
        return self.stem(x)

    def forward_head(self, x):
        return self.head(x.mean((2, 3)))

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


@singledispatch
def permuted(draw, order) -> F.Draw:
    """The draw for the batch in another order: row i of that batch is row order[i] of this one."""
    raise NotImplementedError(type(draw))


def _rows(x: Tensor, order: Tensor) -> Tensor:
    return x[order] if len(x) == len(order) else x


def _partner(partner: Tensor, order: Tensor) -> Tensor:
    return order.argsort()[partner[order]]


@permuted.register
def _(draw: F.Identity, order):
    return draw


@permuted.register
def _(draw: F.KeepTargets, order):
    return F.KeepTargets(permuted(draw.draw, order))


@permuted.register
def _(draw: F.Pairs, order):
    return F.Pairs(_rows(draw.lam, order), _partner(draw.partner, order))


@permuted.register
def _(draw: F.Masks, order):
    return F.Masks(_rows(draw.keep, order), _rows(draw.lam, order), _partner(draw.partner, order))


@permuted.register
def _(draw: Resized, order):
    places = {name: _rows(getattr(draw, name), order) for name in ("top", "left", "height", "width", "lam")}
    return replace(draw, **places, partner=_partner(draw.partner, order))


@permuted.register
def _(draw: ManyPairs, order):
    lam = draw.lam[:, order] if draw.lam.dim() > 1 and draw.lam.shape[1] == len(order) else draw.lam
    return ManyPairs(lam, _partner(draw.partner, order))


@permuted.register
def _(draw: F.Tuples, order):
    return F.Tuples(draw.weights[..., order])


SPECS = ["none", "mixup", "mixup(per_sample=True)", "sample_pairing", "cutmix", "cutmix(per_sample=True)"]
SPECS += ["fmix", "gridmix(per_sample=True)", "smoothmix(per_sample=True)", "resizemix(per_sample=True)"]
SPECS += ["multimix(n=9, p=1)", "zeta_mixup", "multi_mixup(per_sample=True)", "multi_mixup(k=2)"]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("kind", CRITERIA)
def test_the_order_of_the_batch_does_not_matter(spec, kind):
    """With the draw permuted as the batch is, the mixed rows are the same ones, and so is the loss."""
    images, soft, order = torch.rand(6, 3, 8, 8, dtype=torch.float64), targets(6), torch.randperm(6)
    draw = create_mixer(spec).branches[0][1].mixer.sample(images, Context(torch.Generator().manual_seed(3)))
    other, matrix = permuted(draw, order), torch.randn(3 * 64, C, dtype=torch.float64)
    rows = permuted_rows(draw, order)
    torch.testing.assert_close(other(images[order]), draw(images)[rows])
    torch.testing.assert_close(other.targets(soft[order]), draw.targets(soft)[rows])

    def losses(draw, x, t):
        after = F.soft_loss(draw(x).flatten(1) @ matrix, draw.targets(t), kind)
        # masks and their like mix maps only, so not logits
        maps_only = isinstance(draw, F.Masks | Resized)
        return [after] if maps_only else [after, F.mixed_loss(draw, x[:, 0, 0, :C], t, kind)]

    torch.testing.assert_close(losses(other, images[order], soft[order]), losses(draw, images, soft))


def permuted_rows(draw: F.Draw, order: Tensor) -> Tensor:
    """Which mixed row of a draw is at each place of the permuted draw's."""
    if isinstance(draw, F.Tuples):
        return torch.arange(len(draw.weights))
    k = len(draw.lam) if isinstance(draw, ManyPairs) else 1
    return torch.cat([order + i * len(order) for i in range(k)])


@pytest.mark.parametrize("kind", CRITERIA)
def test_the_order_of_the_batch_does_not_matter_at_positions(kind):
    logits, soft, order = torch.randn(R, 6, C, dtype=torch.float64), targets(6), torch.randperm(6)
    draw = F.Tuples(F.dense_weights(torch.rand(R, 6), n=11).double())
    again = F.mixed_loss(permuted(draw, order), logits[:, order], soft[order], kind)
    torch.testing.assert_close(again, F.mixed_loss(draw, logits, soft, kind))
