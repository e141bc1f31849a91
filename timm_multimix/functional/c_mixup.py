"""C-Mixup: mixup for regression, with partners whose labels are close."""

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

    The partner of an example of x [b, ...] is drawn from the batch by a Gaussian kernel of the distance
    between their labels, see `closest_partners`; lambda ~ Beta(alpha, alpha) as in mixup (arXiv:2210.05775,
    algorithm 1); alpha = 2 and a bandwidth of 1 are the defaults of the authors' code. Any other mixer of
    pairs takes `partner=('closest', bandwidth)`. Labels are values [b], targets [b, c], or classes, between
    which all distances are the same; where they are mixed already, as in `a >> c_mixup`, those of the clean
    examples count. The paper draws from the whole training set: small batches have few close partners.

    Args:
        bandwidth: of the kernel, in the units of the labels; to be tuned.
    """
    return mixup.draw(x, alpha, per_sample, closest_partners(labels, bandwidth, generator), generator)
