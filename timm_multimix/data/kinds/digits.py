"""scikit-learn's digits, which need no download."""

import numpy as np

from ..collection import Collection
from ..sources import ArraySource, Source
from .declaration import Kind


class Digits(Collection):
    """scikit-learn's 1,797 handwritten digits of 8x8 pixels; every fifth sample is the test."""

    def __init__(self) -> None:
        self.name, self.split_names = "digits", ("train", "test")
        # a mirrored or cropped digit is another digit, so each augmentation is off until it is asked for
        self.defaults = {
            "img_size": 32,
            "scale": [1.0, 1.0],
            "ratio": [1.0, 1.0],
            "hflip": 0.0,
            "color_jitter": 0.0,
            "train_interpolation": "bilinear",
            # so few images make enough updates only in small batches
            "batch_size": 64,
            "epochs": 20,
        }

    def open(self, split: str, class_names: list[str] | None) -> tuple[Source, list[str]]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        chosen = (np.arange(len(digits.target)) % 5 == 0) == (split == "test")
        images = np.rint(digits.images[chosen] * (255 / 16)).astype(np.uint8)
        labels = digits.target[chosen].astype(np.int64)
        return ArraySource(images, labels, f"split '{split}' of digits"), [str(name) for name in range(10)]


KIND = Kind(
    title="Digits",
    form="digits",
    about="""\
scikit-learn's 1,797 handwritten digits of 8 x 8 pixels, which need no download; every fifth is the test
split.""",
    matches=lambda request: request.dataset == "digits",
    open=lambda request: Digits(),
)
