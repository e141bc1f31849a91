"""Labelled pictures by name: splits, decoding, transforms, batches and loaders."""

from timm_multimix.data.batches import EpochBatches, SampleKey
from timm_multimix.data.dataset import ImageDataset
from timm_multimix.data.loader import ImageLoader, create_loader
from timm_multimix.data.sources import Source
from timm_multimix.data.splits import Splits, load_splits
from timm_multimix.data.transforms import create_transforms

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
