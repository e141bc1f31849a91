"""Networks small enough for tests that are not about a network."""

import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from timm.models.volo import VOLO
from torch import nn

newer_timm = pytest.mark.skipif(
    not hasattr(timm.models, "resolve_model_input_args"), reason="needs timm 1.0.31 or newer"
)


class SmallNet(nn.Module):
    """A timm-shaped network of two stages: a convolution to a 2 x 2 map, average pooling, a linear head."""

    num_classes = 4
    feature_info = ({"module": "stem"}, {"module": "body"})

    def __init__(self):
        super().__init__()
        self.num_features = 6
        self.stem = nn.Conv2d(3, 5, 3, 2, 1)
        self.body = nn.Conv2d(5, 6, 3, 2, 1)
        self.head = nn.Linear(6, 4)

    def group_matcher(self, coarse=False):
        """Both convolutions are stages."""
        return {"blocks": r"^(stem|body)"}

    def forward_features(self, x):
        return self.body(self.stem(x).relu())

    def forward_head(self, x):
        return self.head(x.mean((2, 3)))

    def forward(self, x):
        return self.forward_head(self.forward_features(x))


def small_vit():
    """A vision transformer of one block: 2 x 2 patches of images of 8 x 8, and a class token."""
    return VisionTransformer(img_size=8, patch_size=4, embed_dim=8, depth=1, num_heads=2, num_classes=4)


def small_volo():
    """VOLO, whose logits are those of a class token and the largest of the tokens': images of 64 x 64."""
    torch.manual_seed(0)
    model = VOLO(
        (1, 1, 1, 1), img_size=64, embed_dims=(24, 48, 48, 48), num_heads=(2, 4, 4, 4), num_classes=5
    )
    for head in (model.head, model.aux_head):
        nn.init.normal_(head.weight)
    return model
