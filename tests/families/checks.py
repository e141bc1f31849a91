"""The checks of one model: a backward pass at each place of mixing, and invariants."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from tests.families import record
from tests.families.networks import build, images
from timm_multimix import MixTask
from timm_multimix.errors import UsageError
from timm_multimix.functional import Pairs, Tuples
from timm_multimix.mixers import Mixer, Mixture
from timm_multimix.mixers.step import as_branches
from timm_multimix.sites.affine_probe import warn_if_not_affine
from timm_multimix.sites.cuts import stage_names
from timm_multimix.sites.hidden import MixingPoints
from timm_multimix.sites.layout import Layout, find_layout
from timm_multimix.sites.literal import find_classifiers
from timm_multimix.sites.positions import dense_forward
from timm_multimix.sites.student import as_logits

LABELS = torch.arange(3)
# Each example's partner. Where the first stays and the others change, the batch remains the same examples.
OTHERS, STAYING = torch.tensor([2, 2, 1]), torch.tensor([1.0, 0.0, 0.0])
# What warnings say, by the record's word for it.
DEPARTURES = {
    "not affine": "is not an affine map",
    "batch norm": "its classifier normalises",
    "dropout": "dropout",
}


class Examined:
    """A model and what one plain pass in training mode did: logits, loss, buffers and gradients."""

    def __init__(self, name: str, side: int) -> None:
        self.model, self.images = build(name, side), images(side)
        self.start = snapshot(self.model)
        self.logits = as_logits(self.run(self.model))
        self.loss = F.cross_entropy(self.logits, LABELS)
        self.plain = gradients(self.model, self.loss)
        self.after = snapshot(self.model)
        self.logits = self.logits.detach()

    def run(self, call: Any, *more: Any) -> Any:
        """call(images), from the state and with the random numbers of the plain pass."""
        self.model.load_state_dict(self.start)
        torch.manual_seed(1)
        return call(self.images, *more)

    def train(self, mix: Any, **options: Any) -> dict[str, Tensor]:
        """One training pass of a task, its loss and gradients finite; gradients that the plain one has."""
        task = MixTask(self.model, mix, **options).train()
        out = self.run(task, LABELS)
        self.assert_reached(gradients(self.model, out["loss"]))
        return out

    def assert_reached(self, reached: dict[str, float]) -> None:
        """Check that parameters with a gradient of the plain loss have one; less is rounding."""
        threshold = 1e-6 * max(self.plain.values())
        wanted = {name for name, norm in self.plain.items() if norm > threshold}
        assert wanted - {name for name, norm in reached.items() if norm > 0} == set()


def examine(name: str, side: int) -> record.Row:
    """Run all checks of one model, and return its row of the record."""
    examined = Examined(name, side)
    check_embedding(examined)
    parameters = sum(parameter.numel() for parameter in examined.model.parameters())
    row = {"parameters": parameters, "departures": check_exactness(examined)}
    return {**row, **check_positions(examined), **check_stages(examined)}


def check_embedding(examined: Examined) -> None:
    """The network sees clean images and teaches itself: targets half way between labels and prediction.

    Identity weights give the plain loss.
    """
    out = examined.train("multimix(n=20, p=1)", distill=0.5, teacher="self")
    assert torch.equal(out["output"], examined.logits)
    expected = (F.one_hot(LABELS, record.CLASSES) + examined.logits.softmax(-1)) / 2
    torch.testing.assert_close(out["target"], expected, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        out = examined.run(MixTask(examined.model, unmixed("embedding")).train(), LABELS)
    torch.testing.assert_close(out["loss"], examined.loss.detach(), rtol=1e-5, atol=1e-6)


def check_exactness(examined: Examined) -> list[str]:
    """The task warns before it mixes logits if and only if that differs from mixing embeddings."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warn_if_not_affine(examined.model, examined.images)
    text = " ".join(str(each.message) for each in told)
    departures = [kind for kind, part in DEPARTURES.items() if part in text]
    assert len(departures) >= len(told)
    assert (literal_error(examined) > 1e-3) == bool({"not affine", "batch norm"} & set(departures))
    return departures


@torch.no_grad()
def literal_error(examined: Examined) -> float:
    """Return the distance, in training, of the logits of mean embeddings from mean logits.

    Relative to the distance of the examples' logits from their mean.
    """

    def means(x: Tensor) -> Tensor:
        return (x + x.roll(-1, 0)) / 2

    heads = find_classifiers(examined.model, ())
    handles = [head.register_forward_pre_hook(lambda _, args: (means(args[0]), *args[1:])) for head in heads]
    mixed = as_logits(examined.run(examined.model))
    for handle in handles:
        handle.remove()
    clean = examined.logits
    return float((mixed - means(clean)).norm() / (clean - clean.mean(0)).norm())


def check_positions(examined: Examined) -> record.Row:
    """Logits, buffers and modes as after a plain pass; a distribution of attention; gradients; the mean."""
    model = examined.model
    dense = examined.run(lambda x: dense_forward(model, x))
    assert torch.equal(dense.logits, examined.logits)
    assert all(part.training for part in model.modules())
    assert all(torch.equal(value, examined.after[key]) for key, value in model.state_dict().items())
    spatial = len(dense.positions) - dense.class_tokens
    torch.testing.assert_close(dense.attended()[:spatial].sum(0), torch.ones(len(LABELS)))
    classes = torch.arange(dense.positions.shape[:2].numel()) % record.CLASSES
    examined.assert_reached(gradients(model, F.cross_entropy(dense.positions.flatten(0, 1), classes)))
    examined.train("dense_multimix(n=20, p=1)", distill=0.5, teacher="self")
    with torch.no_grad():
        out = examined.run(MixTask(model, unmixed("positions")).train(), LABELS)
        each = F.cross_entropy(dense.positions.flatten(0, 1), LABELS.repeat(len(dense.positions)))
    torch.testing.assert_close(out["loss"], each, rtol=1e-5, atol=1e-6)
    return {
        "positions": spatial,
        "class_tokens": dense.class_tokens,
        "mean_of_positions": check_mean(examined) if spatial > 1 else "one position",
    }


def check_mean(examined: Examined) -> str:
    """`logits` where the mean of the positions' logits is the model's, as for averages and a linear map."""
    dense = without_dropout(examined, lambda x: dense_forward(examined.model, x))
    mean = dense.positions[: len(dense.positions) - dense.class_tokens].mean(0)
    same = bool((mean - dense.logits).norm() < 1e-4 * dense.logits.norm())
    assert same or not averages_and_is_linear(examined.model, examined.images)
    return "logits" if same else "other"


def averages_and_is_linear(model: nn.Module, x: Tensor) -> bool:
    """Whether the head is affine and equal for all positions, tested with random features."""
    model.eval()
    with torch.no_grad():
        features = model.forward_features(x)
        layout = find_layout(model, features)
        known = isinstance(features, Tensor) and not layout.reads_prefix
        answer = known and not bends_or_tells_apart(model, layout, features)
    model.train()
    return answer


def bends_or_tells_apart(model: nn.Module, layout: Layout, features: Tensor) -> bool:
    """Whether the head is not affine, or depends on the order of the positions."""
    first, second = torch.randn_like(features), torch.randn_like(features)
    tokens = first.movedim(layout.channels, -1)
    sequence = tokens.flatten(1, -2)
    rolled = torch.cat([sequence[:, : layout.prefix], sequence[:, layout.prefix :].roll(1, 1)], dim=1)
    turned = rolled.view(tokens.shape).movedim(-1, layout.channels)
    ends = [as_logits(model.forward_head(part)) for part in (first, second, (first + second) / 2, turned)]
    bend, order = ends[2] - (ends[0] + ends[1]) / 2, ends[3] - ends[0]
    return bool(max(bend.norm(), order.norm()) > 1e-4 * ends[0].norm())


def check_stages(examined: Examined) -> record.Row:
    """Manifold mixup at every stage of feature_info: it works, or a UsageError says why not."""
    names, refused = stage_names(examined.model), {}
    clean = as_logits(without_dropout(examined, examined.model))
    apart = float((clean - clean[OTHERS]).norm() / clean.norm())
    assert apart > 1e-3, "the examples' logits are too much alike to be told apart"
    for stage in range(1, len(names) + 1):
        try:
            check_stage(examined, stage, clean, apart)
        except UsageError as error:
            refused[names[stage - 1]] = str(error)
    assert "\n" not in "".join(refused.values())
    return {"stages": names, "refused": refused}


def check_stage(examined: Examined, stage: int, clean: Tensor, apart: float) -> None:
    """Check a training pass, and that no path bypasses the stage: swapping examples swaps logits."""
    out = examined.train(f"manifold_mixup(layers={stage})")
    assert (out["target"].amax(1) < 1).any()
    points, shapes = MixingPoints(examined.model, [stage]), []
    swap = Pairs(STAYING, OTHERS)

    def sample(x: Tensor) -> Pairs:
        shapes.append(x.shape)
        return swap

    with points.mixing(stage, len(LABELS), sample) as point:
        logits = as_logits(without_dropout(examined, examined.model))
    assert len(shapes[0]) != 4 or point.cut.width in (None, shapes[0][1]), "a map's channels are not found"
    difference = float((logits - swap(clean)).norm() / clean.norm())
    assert difference < 0.01 * apart, f"stage {stage} is off by {difference:.1g}, examples by {apart:.1g}"


@torch.no_grad()
def without_dropout(examined: Examined, call: Any) -> Any:
    """call(images), with the batch's own statistics as in training: examples may be swapped."""
    for module in examined.model.modules():
        module.training = isinstance(module, _BatchNorm)
    result = examined.run(call)
    examined.model.train()
    return result


def unmixed(place: str) -> Mixture:
    """A mixer whose weights are the identity."""

    def sample(x: Tensor, _: Any) -> Tuples:
        eye = torch.eye(len(x))
        return Tuples(eye.expand(x.shape[1], -1, -1) if place == "positions" else eye)

    return Mixture(as_branches(Mixer("unmixed", sample, place)), "unmixed")


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def gradients(model: nn.Module, loss: Tensor) -> dict[str, float]:
    """Norm of each parameter's gradient, all finite."""
    model.zero_grad(set_to_none=True)
    assert loss.isfinite()
    loss.backward()
    norms = {n: float(p.grad.norm()) for n, p in model.named_parameters() if p.grad is not None}
    assert all(norm < float("inf") for norm in norms.values())
    return norms
