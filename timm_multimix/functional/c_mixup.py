"""C-Mixup: mixup for regression, with partners whose labels are close (arXiv:2210.05775)."""

from torch import Generator, Tensor

from .checks import Concentration, Flag, Positive
from .draws import Draw
from .mixing import mixing, mixup
from .partners import closest_partners


@mixing
def c_mixup(
    x: Tensor,
    labels: Tensor,
    alpha: Concentration = 2.0,
    bandwidth: Positive = 1.0,
    per_sample: Flag = False,
    generator: Generator | None = None,
) -> Draw:
    """C-Mixup: mixup with a partner drawn by closeness of the labels.

    The partner of an example is drawn from the batch by a Gaussian kernel of the distance between their
    labels, see `closest_partners`; lambda ~ Beta(alpha, alpha) as in mixup (arXiv:2210.05775, algorithm 1).
    alpha = 2 and a bandwidth of 1 are the defaults of the authors' code. Other mixers of pairs do the same
    with `partner=('closest', bandwidth)`. The paper draws from the whole training set; small batches have few
    close partners.

    Args:
        labels: values [b]; targets [b, c]; or classes [b], between which all distances are the same. In a
            spec such as `a >> c_mixup`, which mixes twice, the labels of the clean examples are taken.
        bandwidth: standard deviation of the kernel, in the units of the labels; to be tuned.

    Examples:
        >>> mixed, draw = F.c_mixup(torch.rand(4, 8), labels=torch.tensor([0.1, 2.0, 0.2, 1.9]))
        >>> mixed.shape
        torch.Size([4, 8])
    """
    return mixup.draw(x, alpha, per_sample, closest_partners(labels, bandwidth, generator), generator)
