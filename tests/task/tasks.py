"""Small images, labels and models for the tests of MixTask."""

import timm
import torch

from tests.networks import SmallNet
from timm_multimix.mixers import Context
from timm_multimix.randomness import draw_generator


def images(b=6, size=32, seed=0):
    return torch.rand(b, 3, size, size, generator=torch.Generator().manual_seed(seed))


LABELS = torch.tensor([0, 1, 2, 3, 4, 0])


def model(seed=0, name="test_resnet", num_classes=5, **options):
    torch.manual_seed(seed)
    return timm.create_model(name, num_classes=num_classes, **options)


def small_model():
    torch.manual_seed(0)
    return SmallNet()


def drawn(task, x, **context):
    """The draw that the task makes at its present step for the tensor x."""
    generator = draw_generator(task.seed, task.step, x.device)
    return task.choose_step(task.step).mixer.sample(x, Context(generator, **context))
