"""The chunked loss against the literal computation: mix the logits and the targets, take torch's own loss."""

import itertools
from functools import partial

import pytest
import torch
import torch.nn.functional as nnf

from timm_multimix.functional import dirichlet_weights, multimix_loss, soft_targets
from timm_multimix.functional import tuple_sums as module
from timm_multimix.functional.criteria import CRITERIA


def literal_loss(logits, targets, weights, kind):
    """The definition (arXiv:2311.05538, equations 7 to 10), with every mixed example made."""
    mixed, mixed_targets = weights @ logits, weights @ targets
    return loss_of_rows(mixed, mixed_targets.expand_as(mixed), kind)


def loss_of_rows(mixed, mixed_targets, kind):
    """torch's own losses of mixed logits and targets."""
    if kind == "softmax":
        return -(mixed_targets * mixed.log_softmax(-1)).sum(-1).mean()
    if kind == "sigmoid":
        return nnf.binary_cross_entropy_with_logits(mixed, mixed_targets)
    return nnf.mse_loss(mixed, mixed_targets)


def classified_embeddings_loss(embeddings, matrix, bias, targets, weights):
    """MultiMix as the paper writes it: mix embeddings, classify the n mixed ones."""
    mixed = (weights @ embeddings) @ matrix.T + bias
    return -((weights @ targets) * mixed.log_softmax(-1)).sum(-1).mean()


def targets_of(kind, b, c):
    labels = torch.randint(c, (b,))
    return {
        "hard": soft_targets(labels, c).double(),
        "smoothed": soft_targets(labels, c, 0.1).double(),
        "soft": torch.rand(b, c, dtype=torch.float64).softmax(-1),
        "multi-hot": (torch.rand(b, c) < 0.4).double(),
    }[kind]


def both(logits, targets, weights, kind, literal=True):
    """[loss, gradient by logits, gradient by weights], ours and literal."""
    results = []
    losses = (partial(multimix_loss, kind=kind), partial(literal_loss, kind=kind))
    for loss_of in losses[: 1 + literal]:
        leaves = [tensor.clone().requires_grad_() for tensor in (logits, weights)]
        loss = loss_of(leaves[0], targets, leaves[1])
        (3 * loss).backward()
        results.append([loss.detach(), *(leaf.grad for leaf in leaves)])
    return results


@pytest.mark.parametrize("kind", CRITERIA)
@pytest.mark.parametrize("target_kind", ["hard", "smoothed", "soft", "multi-hot"])
@pytest.mark.parametrize(("b", "c"), [(6, 4), (4, 9), (1, 3)])
@pytest.mark.parametrize(("r", "own_weights"), [(None, False), (3, False), (3, True)])
def test_equals_the_literal_computation(kind, target_kind, b, c, r, own_weights):
    torch.manual_seed(0)
    logits = 3 * torch.randn(*[r] * (r is not None), b, c, dtype=torch.float64)
    weights = torch.rand(*[r] * own_weights, 300, b, dtype=torch.float64).softmax(-1)
    for ours, theirs in zip(*both(logits, targets_of(target_kind, b, c), weights, kind), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", CRITERIA)
def test_targets_of_their_own_at_every_position(kind):
    torch.manual_seed(1)
    logits = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    targets = torch.rand(2, 3, 5, 4, dtype=torch.float64).softmax(-1)
    weights = torch.rand(2, 3, 40, 5, dtype=torch.float64).softmax(-1)
    for ours, theirs in zip(*both(logits, targets, weights, kind), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", CRITERIA)
def test_many_blocks_and_a_short_last_chunk_change_nothing(kind, monkeypatch):
    torch.manual_seed(2)
    logits = torch.randn(5, 6, 4, dtype=torch.float64)
    targets, weights = targets_of("soft", 6, 4), torch.rand(5, 301, 6, dtype=torch.float64).softmax(-1)
    whole = both(logits, targets, weights, kind)[0]
    monkeypatch.setitem(module._BLOCK_ELEMENTS, "cpu", 40)
    monkeypatch.setattr(module, "_SMALLEST_CHUNK", 7)
    for ours, theirs in zip(both(logits, targets, weights, kind)[0], whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
@pytest.mark.parametrize(("b", "c"), [(6, 4), (4, 9), (5, 2)])
@pytest.mark.parametrize("own_weights", [False, True])
def test_class_indices_equal_their_one_hot_targets(kind, b, c, own_weights, monkeypatch):
    torch.manual_seed(2)
    monkeypatch.setitem(module._BLOCK_ELEMENTS, "cpu", 2 * 7 * c)
    monkeypatch.setattr(module, "_SMALLEST_CHUNK", 7)
    logits, labels = torch.randn(5, b, c, dtype=torch.float64), torch.randint(c, (b,))
    weights = 2 * torch.rand(*[5] * own_weights, 30, b, dtype=torch.float64)
    expected = both(logits, nnf.one_hot(labels, c).double(), weights, kind)[1]
    for ours, theirs in zip(both(logits, labels, weights, kind, literal=False)[0], expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", CRITERIA)
def test_an_iterator_of_chunks_equals_the_whole(kind):
    torch.manual_seed(3)
    logits = torch.randn(6, 9, dtype=torch.float64, requires_grad=True)
    targets, weights = targets_of("hard", 6, 9), dirichlet_weights(500, 6, 1.0).double()
    whole = multimix_loss(logits, targets, weights, kind=kind)
    streamed = multimix_loss(logits, targets, iter(weights.split(77)), kind=kind)
    gradients = [torch.autograd.grad(loss, logits)[0] for loss in (whole, streamed)]
    torch.testing.assert_close(whole, streamed)
    torch.testing.assert_close(*gradients)


def test_equals_mixing_the_embeddings():
    torch.manual_seed(4)
    embeddings, matrix = torch.randn(6, 8, dtype=torch.float64), torch.randn(5, 8, dtype=torch.float64)
    bias, labels = torch.randn(5, dtype=torch.float64), torch.randint(5, (6,))
    weights = dirichlet_weights(100, 6, 0.7).double()
    weights = weights / weights.sum(1, keepdim=True)
    expected = classified_embeddings_loss(embeddings, matrix, bias, soft_targets(labels, 5).double(), weights)
    torch.testing.assert_close(multimix_loss(embeddings @ matrix.T + bias, labels, weights), expected)


def classified(embeddings, matrix, bias, weights):
    """Logits of the mixed embeddings, for weights of any sum."""
    return (weights @ embeddings) @ matrix.T + bias


@pytest.mark.parametrize("kind", CRITERIA)
@pytest.mark.parametrize("indices", [False, True])
@pytest.mark.parametrize("positions", [(), (3,)])
def test_with_the_bias_any_weights_mix_embeddings(kind, indices, positions):
    if indices and kind == "mse":
        pytest.skip("takes no class indices")
    torch.manual_seed(12)
    embeddings, matrix, bias = (
        torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        for shape in ((*positions, 6, 8), (5, 8), (5,))
    )
    labels = torch.randint(5, (6,))
    weights = 3 * torch.rand(*positions, 40, 6, dtype=torch.float64)
    weights.requires_grad_()
    leaves = (embeddings, matrix, bias, weights)
    targets = nnf.one_hot(labels, 5).double()
    mixed = classified(embeddings, matrix, bias, weights)
    expected = loss_of_rows(mixed, (weights @ targets).expand_as(mixed), kind)
    logits = embeddings @ matrix.T + bias
    given = labels if indices else targets
    loss = multimix_loss(logits, given, weights, kind=kind, bias=bias)
    torch.testing.assert_close(loss, expected)
    gradients = (torch.autograd.grad(each, leaves, retain_graph=True) for each in (loss, expected))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)
    chunks = iter(weights.detach().split(7, dim=-2))
    streamed = multimix_loss(logits, given, chunks, kind=kind, bias=bias)
    torch.testing.assert_close(streamed, expected)


def test_without_the_bias_a_rows_sum_multiplies_it():
    torch.manual_seed(13)
    embeddings, matrix, bias = (torch.randn(*s, dtype=torch.float64) for s in ((6, 8), (5, 8), (5,)))
    labels, weights = torch.randint(5, (6,)), torch.rand(40, 6, dtype=torch.float64)
    mixed = (weights @ embeddings) @ matrix.T + weights.sum(1, keepdim=True) * bias
    expected = loss_of_rows(mixed, weights @ nnf.one_hot(labels, 5).double(), "softmax")
    torch.testing.assert_close(multimix_loss(embeddings @ matrix.T + bias, labels, weights), expected)
    literal = loss_of_rows(
        classified(embeddings, matrix, bias, weights), weights @ nnf.one_hot(labels, 5).double(), "softmax"
    )
    assert abs(expected - literal) > 1e-3


def test_a_bias_has_one_number_for_each_class():
    with pytest.raises(ValueError, match=r"bias must be \[3\], one number for each class, got \[4\]"):
        multimix_loss(torch.zeros(4, 3), torch.zeros(4, 3), torch.ones(2, 4), bias=torch.zeros(4))


@pytest.mark.parametrize("kind", CRITERIA)
def test_gradients_by_finite_differences(kind):
    torch.manual_seed(5)
    logits = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 9, 4, dtype=torch.float64, requires_grad=True)
    targets = targets_of("soft", 4, 3)
    assert torch.autograd.gradcheck(lambda a, w: multimix_loss(a, targets, w, kind=kind), (logits, weights))


def test_large_logits_stay_exact_in_float32():
    torch.manual_seed(6)
    logits = 50 * torch.randn(8, 20) + 1e4 * torch.randn(8, 1)
    labels, weights = torch.randint(20, (8,)), dirichlet_weights(400, 8, 0.5)
    expected = literal_loss(logits.double(), soft_targets(labels, 20).double(), weights.double(), "softmax")
    torch.testing.assert_close(
        multimix_loss(logits, labels, weights).double(), expected, rtol=1e-4, atol=1e-3
    )


def test_half_precision_logits_are_computed_in_float32():
    torch.manual_seed(7)
    logits, labels = torch.randn(8, 5, dtype=torch.bfloat16, requires_grad=True), torch.randint(5, (8,))
    weights = dirichlet_weights(200, 8, 1.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = multimix_loss(logits, labels, weights)
    loss.backward()
    assert loss.dtype == torch.float32
    assert logits.grad.dtype == torch.bfloat16
    torch.testing.assert_close(loss, multimix_loss(logits.float(), labels, weights))


def test_compiles_in_one_graph():
    torch.manual_seed(8)
    logits, labels = torch.randn(8, 5, requires_grad=True), torch.randint(5, (8,))
    weights = dirichlet_weights(1000, 8, 1.0)
    compiled = torch.compile(multimix_loss, fullgraph=True, backend="aot_eager")
    gradients = [
        torch.autograd.grad(f(logits, labels, weights), logits)[0] for f in (multimix_loss, compiled)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("kind", CRITERIA)
def test_the_operators_pass_torchs_opcheck(kind):
    """Shapes, strides and purity of the operator, with inputs in every order of memory."""
    torch.manual_seed(11)
    logits = [torch.randn(3, 4, 6), torch.randn(6, 4).T[None], torch.randn(4, 3, 6).transpose(0, 1)]
    weights = [torch.rand(3, 5, 4), torch.rand(4, 5).T[None], torch.rand(5, 4).expand(3, 5, 4)]
    for given, tuples, by_weights in itertools.product(logits, weights, [True, False]):
        if len(tuples) in (1, len(given)):
            arguments = given, torch.rand(4, 6), tuples, kind, by_weights
            torch.library.opcheck(
                torch.ops.timm_multimix.tuple_loss.default,
                arguments,
                test_utils=("test_schema", "test_faketensor"),
            )


def test_a_second_derivative_is_refused():
    logits, labels = torch.randn(4, 3, requires_grad=True), torch.randint(3, (4,))
    loss = multimix_loss(logits.square(), labels, dirichlet_weights(5, 4, 1.0))
    with pytest.raises(RuntimeError, match="no second derivative"):
        torch.autograd.grad(loss, logits, create_graph=True)


def test_memory_does_not_grow_with_n():
    """The largest tensor made is a chunk's, not [n, c]."""
    n, c = 4_000, 300
    sizes = []

    class Largest(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            made = out if isinstance(out, tuple | list) else (out,)
            sizes.extend(x.numel() for x in made if isinstance(x, torch.Tensor) and x.shape[-1:] == (c,))
            return out

    logits, labels, weights = torch.randn(16, c), torch.randint(c, (16,)), dirichlet_weights(n, 16, 1.0)
    with Largest():
        multimix_loss(logits, labels, weights)
    # A block's mixed logits and residual share one piece of memory.
    assert max(sizes) <= 2 * module._BLOCK_ELEMENTS["cpu"] < n * c


@pytest.mark.parametrize(
    ("target", "weights", "kind"),
    [
        (torch.zeros(4, 3), torch.ones(2, 4), "hinge"),
        (torch.zeros(5, 3), torch.ones(2, 4), "softmax"),
        (torch.zeros(4, 3), torch.ones(2, 5), "softmax"),
        (torch.zeros(4, 3), torch.ones(0, 4), "softmax"),
        (torch.zeros(4), torch.ones(2, 4), "mse"),
        (torch.zeros(4), torch.ones(2, 4), "softmax"),
        (torch.zeros(4), torch.ones(2, 4), "sigmoid"),
        (torch.zeros(4, 3), iter(()), "softmax"),
    ],
)
def test_shapes_that_do_not_fit_raise(target, weights, kind):
    with pytest.raises(
        ValueError,
        match=r"given|fit|at least one tuple|kind must be one of softmax, sigmoid, mse, got 'hinge'",
    ):
        multimix_loss(torch.zeros(4, 3), target, weights, kind=kind)


@pytest.mark.parametrize("shape", [(3,), (0, 4, 3), (0, 3)])
def test_logits_have_examples_and_classes(shape):
    with pytest.raises(ValueError, match=r"logits must be .*, got shape \["):
        multimix_loss(torch.zeros(shape), torch.zeros(4, 3), torch.ones(2, 4))


def test_regression_takes_one_value_each():
    torch.manual_seed(9)
    values, weights = torch.randn(6), dirichlet_weights(50, 6, 1.0)
    predicted = torch.randn(6, 1)
    expected = nnf.mse_loss(weights @ predicted, weights @ values.unsqueeze(1))
    torch.testing.assert_close(multimix_loss(predicted, values, weights, kind="mse"), expected)
    labels = torch.tensor([0.0, 1, 1, 0, 1, 0])
    expected = nnf.binary_cross_entropy_with_logits(weights @ predicted, weights @ labels.unsqueeze(1))
    torch.testing.assert_close(multimix_loss(predicted, labels, weights, kind="sigmoid"), expected)


def test_inputs_are_not_modified():
    torch.manual_seed(10)
    for kind, shape in itertools.product(CRITERIA, [(5, 3), (3, 5)]):
        given = torch.randn(shape), torch.rand(shape), torch.rand(30, shape[0])
        copies = [tensor.clone() for tensor in given]
        multimix_loss(*given, kind=kind)
        assert all(map(torch.equal, given, copies))


@pytest.mark.parametrize("kind", CRITERIA)
@pytest.mark.parametrize("indices", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
def test_transforms_of_torch_func(kind, indices, streamed):
    """Gradient, derivative along a direction, Hessian and a loss for each of several logits."""
    torch.manual_seed(0)
    b, c = 5, 4
    logits, direction = torch.randn(2, b, c, dtype=torch.float64)
    target = torch.randint(c, (b,)) if indices and kind != "mse" else torch.rand(b, c, dtype=torch.float64)
    soft = soft_targets(target, c).double() if target.dim() == 1 else target
    weights = dirichlet_weights(30, b, 1.0).double()
    chunks = list(weights.split(7)) if streamed else weights

    def ours(z):
        return multimix_loss(z, target, chunks, kind=kind)

    def theirs(z):
        return literal_loss(z, soft, weights, kind)

    many = torch.stack([logits, 2 * logits, direction])
    for transform in (
        lambda loss: torch.func.grad_and_value(loss)(logits),
        lambda loss: torch.func.jvp(loss, (logits,), (direction,)),
        lambda loss: torch.func.jacrev(torch.func.grad(loss))(logits),
        lambda loss: torch.func.vmap(loss)(many),
    ):
        torch.testing.assert_close(transform(ours), transform(theirs), rtol=1e-12, atol=1e-13)
