"""Co-Mixup: compose mixes of the salient cells of many images, as diverse as possible (arXiv:2102.03065).

`joint_labeling` finds which cells an output shows; here its costs are computed and the mixes put together.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as nnf
from torch import Generator, Tensor

from .checks import Concentration, Count, Flag, Share
from .draws import Draw, Tuples, as_floating, is_map
from .labeling.joint import count_cells, joint_labeling
from .masks import check_maps
from .mixing import mixing
from .puzzlemix import _shares
from .rand import rand
from .sampling import dirichlet_weights
from .uncompiled import uncompiled


@dataclass(frozen=True, eq=False)
class Mosaic(Draw):
    """A grid of which every cell shows one example, or the average of two.

    Args:
        first: the examples that the cells show, [b, g, g].
        second: the other examples of cells that average two, [b, g, g]; equal to `first` elsewhere.
    """

    first: Tensor
    second: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        x = as_floating(x)
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
        return Tuples(self.shares(len(targets))).targets(targets)

    def shares(self, b: int) -> Tensor:
        """Return the share [b, b] of the grid that every example has in every row."""
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

    `partition` consecutive examples make as many mixes, on a grid of 4 x 4 cells, that minimise minus the
    saliency shown + beta (neighbouring cells of different images) + gamma (what two mixes have in common,
    with a share omega between images salient at different places, as far as an image's part in the other
    mixes is above `threshold`) + eta (prior of Dirichlet(alpha) shares of the images). One mix after the
    other is labeled anew while the others stay as they are, `iterations` times from random labels. From the
    second iteration a cell may average two images (`halves`); before the last, mixes of the same images are
    made different (`resolve`). All numbers but alpha, and the hard threshold, are those of the authors'
    CIFAR-100 runs (arXiv:2102.03065). Their alpha is 2, with the loss of the clean images added in the same
    step: `none + co_mixup(alpha=2)`. Without it they advise a smaller alpha but give no number; 1, as for
    mixup, is the choice of this package.

    Other choices of this package: a mix is labeled exactly (the authors swap labels, as is done here on grids
    too fine for that), iterations do not stop early, salient places are windows of a quarter of the side, and
    the gradient is taken in eval mode. Where saliency is flat, mixes become whole images. It costs an extra
    forward and backward, and the device waits for the solver (`joint_labeling`, on the CPU): at batches of 32
    and 64 about 40 times as long as for puzzlemix(grid=4), several steps' time of a small network, and longer
    with larger batches.

    Args:
        x: images or feature maps [b, ch, h, w].
        alpha: concentration of the Dirichlet prior of the images' shares in a mix.
        beta: weight of smoothness: more makes fewer, larger parts.
        gamma: weight of diversity: more keeps mixes of a partition further apart.
        eta: weight of the shares' prior.
        threshold: how much of an image may be in the other mixes, in images, before diversity counts.
        omega: the share of diversity between images salient at different places.
        iterations: times that every mix is labeled anew.
        partition: consecutive examples that are mixed with one another.
        halves: whether a cell may average two images.
        resolve: whether mixes of the same images are made different at the end.
        grid: cells along a side; it must divide both sides of x.

    Raises:
        ValueError: x is not [b, ch, h, w], saliency is not of its size, or the grid does not divide it.

    Examples:
        >>> x = torch.rand(4, 3, 32, 32)
        >>> mixed, draw = F.co_mixup(x, F.spectral_residual(x))
        >>> mixed.shape
        torch.Size([4, 3, 32, 32])
    """
    height, width = check_maps("co_mixup", x)
    if saliency.shape != (len(x), height, width):
        raise ValueError(f"saliency must be {[len(x), height, width]}, got {list(saliency.shape)}")
    if height % grid or width % grid:
        raise ValueError(
            f"grid of co_mixup must divide both sides of images of {height} x {width}, got {grid}"
        )
    sizes = [min(partition, len(x) - begin) for begin in range(0, len(x), partition)]
    prior = torch.cat([dirichlet_weights(1, n, alpha, None, generator, device=x.device)[0] for n in sizes])
    random = rand(len(x), grid, grid, generator=generator, device=x.device)
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
    """Compute the cost [n, g, g] of showing input k in each cell: minus the saliency shown, and the prior.

    Args:
        cells: saliency of the cells, [n, g, g], which adds up to one for each input.
        prior: a Dirichlet draw [n]; 1e-8 is added to it as in the authors' code.
        eta: weight of -log prior; it is spread over the g^2 cells.
    """
    return -cells - eta / cells[0].numel() * (prior + 1e-8).log().view(-1, 1, 1)


def compatibility(saliency: Tensor, omega: float) -> Tensor:
    """Compute A = (1 - omega) I + omega n D / sum D, [n, n]: the penalty of two inputs in different outputs.

    D are the L1 distances between the centres of the most salient windows, of a quarter of the sides (8 of 32
    pixels in the authors' code).

    Args:
        saliency: [n, h, w].
        omega: the share of D.
    """
    height, width = saliency.shape[-2:]
    window = max(1, height // 4), max(1, width // 4)
    mean = nnf.avg_pool2d(nnf.avg_pool2d(saliency, (window[0], 1), 1), (1, window[1]), 1)
    peak = mean.flatten(1).argmax(1)
    place = torch.stack([peak // mean.shape[-1], peak % mean.shape[-1]], -1).float()
    distance = torch.cdist(place, place, p=1)
    relative = len(saliency) * distance / distance.sum().clamp_min(1e-30)
    return (1 - omega) * torch.eye(
        len(saliency), device=saliency.device, dtype=torch.float32
    ) + omega * relative
