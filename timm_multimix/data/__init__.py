"""Labelled images: datasets by name, splits, decoding, transforms, batches and loaders."""

from .batches import EpochBatches, SampleKey
from .dataset import ImageDataset
from .loader import ImageLoader, create_loader
from .sources import Source
from .splits import Splits, load_splits
from .transforms import create_transforms

__all__ = [
    "EpochBatches",
    "ImageDataset",
    "ImageLoader",
    "SampleKey",
    "Source",
    "Splits",
    "create_loader",
    "create_transforms",
    "load_splits",
]
