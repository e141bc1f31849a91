"""Small forms of timm's heads of every kind, for the tests of dense logits."""

import pytest
import timm
import torch

SWIN = {
    "img_size": 64,
    "patch_size": 8,
    "window_size": 2,
    "embed_dim": 16,
    "depths": (1, 1),
    "num_heads": (1, 2),
}
VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2}
LEVIT = {"img_size": 96, "embed_dim": (16, 24, 32), "num_heads": (2, 2, 2), "depth": (1, 1, 1)}

# name: (arguments, image side, layout, prefix tokens, class tokens read)
MODELS = {
    "test_resnet": ({}, 64, "nchw", 0, False),
    "test_byobnet": ({}, 64, "nchw", 0, False),
    "test_convnext": ({}, 64, "nchw", 0, False),
    "test_efficientnet": ({}, 64, "nchw", 0, False),
    "test_nfnet": ({}, 64, "nchw", 0, False),
    "test_coatnet": ({"img_size": 64}, 64, "nchw", 0, False),
    "test_maxvit": ({"img_size": 64}, 64, "nchw", 0, False),
    "mobilenetv4_conv_small_035": ({}, 64, "nchw", 0, False),
    "repvit_m0_9": ({"embed_dim": (8, 8, 16, 24), "depth": (1, 1, 1, 1)}, 64, "nchw", 0, False),
    "efficientvit_b0": ({}, 64, "nchw", 0, False),
    "efficientvit_m0": ({"img_size": 128}, 128, "nchw", 0, False),
    "shvit_s1": ({}, 128, "nchw", 0, False),
    "test_mambaout": ({}, 64, "nhwc", 0, False),
    "swin_tiny_patch4_window7_224": (SWIN, 64, "nhwc", 0, False),
    "test_vit": ({"img_size": 64}, 64, "tokens", 1, True),
    "test_vit3": ({"img_size": 64}, 64, "tokens", 1, True),
    "test_vit4": ({"img_size": 64}, 64, "tokens", 1, False),
    "test_vit_relpos": ({"img_size": 64}, 64, "tokens", 0, False),
    "deit_tiny_distilled_patch16_224": (VIT, 32, "tokens", 2, True),
    "beit_base_patch16_224": (VIT, 32, "tokens", 1, False),
    "cait_xxs24_224": (VIT, 32, "tokens", 1, True),
    "xcit_nano_12_p8_224": ({**VIT, "img_size": 64}, 64, "tokens", 1, True),
    "levit_128s": (LEVIT, 96, "tokens", 0, False),
    "gmlp_ti16_224": ({"img_size": 64}, 64, "tokens", 0, False),
    "coat_lite_tiny": ({"img_size": 64}, 64, "tokens", 1, True),
    "pit_ti_224": ({"img_size": 64}, 64, "class tokens", 1, True),
    "pit_ti_distilled_224": ({"img_size": 64}, 64, "class tokens", 2, True),
    "coat_tiny": ({"img_size": 64}, 64, "branches", 1, True),
    "crossvit_tiny_240": ({"depth": ((1, 1, 0),)}, 240, "branches", 1, True),
    "efficientvim_m1_dist": ({}, 128, "branches", 0, False),
}
HEAD_NORMS = ["levit_128s", "repvit_m0_9", "efficientvit_m0", "shvit_s1", "mobilenetv4_conv_small_035"]
POOL_AND_LINEAR = [
    "test_resnet",
    "test_byobnet",
    "test_efficientnet",
    "test_nfnet",
    "test_coatnet",
    "efficientvim_m1_dist",
    *HEAD_NORMS[:4],
]
every_model = pytest.mark.parametrize("name", MODELS)


def build(name, **more):
    arguments, side = MODELS[name][:2]
    torch.manual_seed(0)
    model = timm.create_model(name, **{"num_classes": 5, **arguments, **more})
    return model, torch.randn(3, 3, side, side)


def average(output):
    return sum(output) / len(output) if isinstance(output, tuple) else output


def snapshot(model):
    return {key: value.clone() for key, value in model.state_dict().items()}
