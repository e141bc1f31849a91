"""Training any timm model with any mixer, on Accelerate."""

from .run import run

__all__ = ["run"]
