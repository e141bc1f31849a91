"""Co-Mixup: the images of a batch are composed of each other's salient cells, and kept diverse together.

Which cells an output shows is found by `joint_labeling`.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Generator, Tensor

from .checks import Concentration, Count, Flag, Share
from .draws import Draw, Tuples, _floating, is_map
from .labeling.joint import count_cells, joint_labeling
from .masks import check_maps
from .mixing import mixing
from .puzzlemix import _shares
from .sampling import dirichlet_weights
from .uncompiled import uncompiled


@dataclass(frozen=True, eq=False)
class Mosaic(Draw):
    """Every cell of a grid shows an example of its own, or the average of two.

    first, second [b, g, g]: the examples that cell (i, j) of row k shows; the same where it shows but one.
    """

    first: Tensor
    second: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = _floating(x)
        (rows, columns), (height, width) = self.first.shape[1:], x.shape[-2:]
        mixed = torch.empty_like(x)
        for i in range(rows):
            down = slice(i * height // rows, (i + 1) * height // rows)
            for j in range(columns):
                right = slice(j * width // columns, (j + 1) * width // columns)
                cell = x[:, :, down, right]
                one, other = cell[self.first[:, i, j]], cell[self.second[:, i, j]]
                mixed[:, :, down, right] = one.lerp_(other, 0.5)
        return mixed

    def targets(self, targets: Tensor) -> Tensor:
        if is_map(targets):
            return self(targets)
        return Tuples(self.shares(len(targets)))(targets)

    def shares(self, b: int) -> Tensor:
        """The share [b, b] of the grid that every example has in every row."""
        return count_cells(torch.stack([self.first, self.second], -1), b) / self.first[0].numel()


@mixing
@uncompiled
def co_mixup(
    x: Tensor,
    saliency: Tensor,
    alpha: Concentration = 1.0,
    beta: Concentration = 0.32,
    gamma: Concentration = 1.0,
    eta: Concentration = 0.05,
    threshold: Concentration = 0.83,
    omega: Share = 0.001,
    iterations: Count = 4,
    partition: Count = 20,
    halves: Flag = True,
    resolve: Flag = True,
    grid: Count = 4,
    generator: Generator | None = None,
) -> Draw:
    """Co-Mixup: salient cells of many images in a mix, diverse together; labels by area.

    `partition` consecutive examples of x [b, ch, h, w] make as many mixes, on a grid of 4 x 4 cells, that
    minimise minus the saliency [b, h, w] shown + beta (neighbouring cells of different images) + gamma (what
    two mixes have in common, with a share omega between images salient at different places, where an image's
    part in the other mixes is above `threshold`) + eta (prior of Dirichlet(alpha) shares of the images). One
    mix after the other is labeled anew with the others as they are, `iterations` times from random labels;
    from the second on a cell may average two images (`halves`), before the last mixes of the same images are
    made to part (`resolve`). All numbers but alpha are those of the authors' CIFAR-100 runs
    (arXiv:2102.03065), and so is the hard threshold. Their alpha is 2, with the loss of the clean images
    added in the same step: `none + co_mixup(alpha=2)`. Without it they advise less but give no number: 1, as
    for mixup, is a choice of ours.

    Ours: a mix is labeled exactly (they swap labels, as we do on grids too fine for that), iterations do not
    stop early, salient places are of windows of a quarter of the side, and the gradient is taken in eval
    mode. Where saliency is flat, mixes become whole images. `grid` must divide the images' sides. Costs a
    forward and a backward besides, and the device waits for the solver (`joint_labeling`, on the CPU): at
    batches of 32 and 64 about 40 times as long as for puzzlemix(grid=4), several steps' time of a small
    network, and longer with the batch.

    Args:
        alpha: concentration of the Dirichlet prior of the images' shares in a mix.
        beta: weight of smoothness: more makes fewer, larger parts.
        gamma: weight of diversity: more keeps mixes of a partition further apart.
        eta: weight of the shares' prior.
        threshold: how much of an image may be in the other mixes, in images, before diversity counts.
        omega: the share of diversity between images salient at different places.
        iterations: times that every mix is labeled anew.
        partition: consecutive examples that are mixed with one another.
        halves: whether a cell may average two images.
        resolve: whether mixes of the same images are made to part at the end.
        grid: cells along a side.

    Raises:
        ValueError: x is not [b, ch, h, w], saliency is not of its size, or the grid does not divide it.
    """
    height, width = check_maps("co_mixup", x)
    if saliency.shape != (len(x), height, width):
        raise ValueError(f"saliency {list(saliency.shape)} given, {[len(x), height, width]} is needed")
    if height % grid or width % grid:
        raise ValueError(
            f"co_mixup with grid={grid} given images of {height} x {width}, needs a number of cells that "
            "divides both"
        )
    sizes = [min(partition, len(x) - begin) for begin in range(0, len(x), partition)]
    prior = torch.cat([dirichlet_weights(1, n, alpha, None, generator, device=x.device)[0] for n in sizes])
    random = torch.rand(len(x), grid, grid, generator=generator, device=x.device)
    maps = saliency.float()
    cells = _shares(nnf.avg_pool2d(maps, (height // grid, width // grid)))
    costs = [part.double().cpu() for part in input_costs(cells, prior, eta).split(partition)]
    related = [compatibility(part, omega).double().cpu() for part in maps.split(partition)]
    parts = zip(random.split(partition), sizes, strict=True)
    labels = [(part * n).long().clamp_max(n - 1).cpu() for part, n in parts]
    found = joint_labeling(
        costs, related, labels, beta, gamma, threshold, iterations, halves=halves, resolve=resolve
    )
    chosen = torch.cat([part + partition * k for k, part in enumerate(found)]).to(x.device)
    return Mosaic(chosen[..., 0], chosen[..., 1])


def input_costs(cells: Tensor, prior: Tensor, eta: float) -> Tensor:
    """What showing input k costs [n, g, g]: its cell's saliency, lost to minimise, and the prior's -log.

    cells [n, g, g], adding up to one; prior [n], a Dirichlet draw, weighted by eta / g^2; 1e-8 is theirs.
    """
    return -cells - eta / cells[0].numel() * (prior + 1e-8).log().view(-1, 1, 1)


def compatibility(saliency: Tensor, omega: float) -> Tensor:
    """A = (1 - omega) I + omega n D / sum D, [n, n]: how much inputs speak against each other in two outputs.

    saliency [n, h, w]; D are the L1 distances between the centres of the most salient windows, of a quarter
    of the sides (the authors' 8 of 32 pixels).
    """
    height, width = saliency.shape[-2:]
    window = max(1, height // 4), max(1, width // 4)
    mean = nnf.avg_pool2d(nnf.avg_pool2d(saliency, (window[0], 1), 1), (1, window[1]), 1)
    peak = mean.flatten(1).argmax(1)
    place = torch.stack([peak // mean.shape[-1], peak % mean.shape[-1]], -1).float()
    distance = torch.cdist(place, place, p=1)
    relative = len(saliency) * distance / distance.sum().clamp_min(1e-30)
    return (1 - omega) * torch.eye(len(saliency), device=saliency.device) + omega * relative
