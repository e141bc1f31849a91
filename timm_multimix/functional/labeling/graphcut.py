"""Exact labelings of grids with convex pairwise terms, by minimum cuts (SciPy's maximum flow, on the CPU)."""

from typing import Any

import torch
from torch import Tensor

from ..._compat.scipy import scipy_module
from ..uncompiled import uncompiled

# SciPy's capacities, and the flow of the whole batch, are 32-bit integers: the largest energy of a cell is
# rounded to this many steps, or fewer if the batch has more than 2^15 cells.
_STEPS = 2**16
_LARGEST = 2**31 - 1


@torch.no_grad()
@uncompiled
def quadratic_labeling(unary: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    """Find labels z in 0 .. K of least energy sum_i U(i, z_i) + sum_ij w_ij ((z_i - z_j) / K)^2.

    Exact for any K up to the energies' rounding to integers, as the pairwise terms are convex (Ishikawa
    2003): (a - b)^2 = sum_kl |[a >= k] - [b >= l]| + a^2 - K a + b^2 - K b, in which every cell is a chain of
    K binary nodes. The whole batch is one cut.

    Args:
        unary: U, [b, h, w, K + 1].
        vertical: weights w of vertical neighbours, [b, h - 1, w], at least 0.
        horizontal: weights w of horizontal neighbours, [b, h, w - 1], at least 0.

    Returns:
        Labels [b, h, w] on the device of `unary`.

    Examples:
        >>> unary = torch.tensor([[[[0.0, 1.0], [0.6, 0.4]]]])
        >>> F.quadratic_labeling(unary, torch.zeros(1, 0, 2), torch.tensor([[[0.5]]]))
        tensor([[[0, 0]]])
    """
    b, h, w, labels = unary.shape
    top = labels - 1
    cpu = [tensor.detach().double().cpu() for tensor in (unary, vertical, horizontal)]
    costs = _with_modular_part(*cpu)
    index = torch.arange(b * h * w).view(b, h, w)
    pairs = torch.cat([_pairs(index[:, :-1], index[:, 1:]), _pairs(index[:, :, :-1], index[:, :, 1:])], 1)
    weights = torch.cat([cpu[1].flatten(), cpu[2].flatten()]) / top**2
    scale = min(_STEPS, _LARGEST // (4 * len(index.flatten()))) / max(float(costs.max()), 1e-300)
    steps = (weights * scale).round().clamp_max(_LARGEST // 4)
    reached = _cut((costs.view(-1, labels) * scale).round(), pairs, steps, top)
    return reached.view(b, h, w, top).sum(-1).to(unary.device)


def _with_modular_part(unary: Tensor, vertical: Tensor, horizontal: Tensor) -> Tensor:
    """Add the part of the pairs' terms that depends on one label; the least cost of a cell becomes 0."""
    degree = torch.zeros_like(unary[..., 0])
    degree[:, :-1] += vertical
    degree[:, 1:] += vertical
    degree[:, :, :-1] += horizontal
    degree[:, :, 1:] += horizontal
    top = unary.shape[-1] - 1
    label = torch.arange(top + 1, dtype=unary.dtype)
    costs = unary + degree.unsqueeze(-1) * (label.square() - top * label) / top**2
    return costs - costs.amin(-1, keepdim=True)


def _pairs(first: Tensor, second: Tensor) -> Tensor:
    return torch.stack([first.flatten(), second.flatten()])


def _cut(costs: Tensor, pairs: Tensor, weights: Tensor, top: int) -> Tensor:
    """Return whether each binary node [cells * top] is on the source's side of the minimum cut.

    Node (i, k), k = 1 .. top, means z_i >= k; the chain source - (i, 1) .. (i, top) - sink is cut at z_i.
    """
    cells = len(costs)
    source, sink = cells * top, cells * top + 1
    node = torch.arange(cells * top).view(cells, top)
    chain = torch.cat([torch.full((cells, 1), source), node, torch.full((cells, 1), sink)], 1)
    tails, heads, capacities = [chain[:, :-1].flatten()], [chain[:, 1:].flatten()], [costs.flatten()]
    if top > 1:
        # Infinite capacity backwards: no cut may say z_i >= k + 1 but not z_i >= k.
        tails.append(node[:, 1:].flatten())
        heads.append(node[:, :-1].flatten())
        capacities.append(torch.full((cells * (top - 1),), _LARGEST // 2, dtype=costs.dtype))
    for k in range(top):
        for level in range(top):
            first, second = node[pairs[0], k], node[pairs[1], level]
            tails += [first, second]
            heads += [second, first]
            capacities += [weights, weights]
    graph = _sparse(torch.cat(capacities), torch.cat(tails), torch.cat(heads), cells * top + 2)
    return _source_side(graph, source, sink)[: cells * top]


def _sparse(capacities: Tensor, tails: Tensor, heads: Tensor, nodes: int) -> Any:
    some = capacities > 0
    entries = (capacities[some].int().numpy(), (tails[some].numpy(), heads[some].numpy()))
    return scipy_module("sparse").csr_matrix(entries, shape=(nodes, nodes))


def _source_side(graph: Any, source: int, sink: int) -> Tensor:
    """Return booleans [nodes]: whether a node is reached from the source after the maximum flow."""
    csgraph = scipy_module("sparse.csgraph")
    residual = graph - csgraph.maximum_flow(graph, source, sink).flow
    residual.eliminate_zeros()
    reached = torch.zeros(graph.shape[0], dtype=torch.bool)
    reached[
        torch.from_numpy(csgraph.breadth_first_order(residual, source, return_predecessors=False)).long()
    ] = True
    return reached
