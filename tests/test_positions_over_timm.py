"""Dense logits for the smallest model of nearly every module of timm 1.0.31."""

import pytest
import timm
import torch
from torch.nn import functional as F

from timm_multimix.sites.positions import dense_forward

# By the image side they are tested at.
AT_64 = """
    beit_base_patch16_224 test_byobnet cait_xxs24_224 coat_tiny convit_tiny convmixer_768_32
    test_convnext cpubone_nano cs3darknet_focus_s cspnext_tiny davit_tiny
    deit_tiny_patch16_224 densenet121 dla46x_c dpn48b edgenext_xx_small efficientformerv2_s0
    test_efficientnet efficientvim_m1 efficientvit_b0 vit_tiny_patch16_dinov3_qkvb fasternet_t0
    fastvit_t8 focalnet_tiny_srf gcvit_xxtiny ghostnet_050 hardcorenas_b hgnetv2_b0 hiera_tiny_224
    sam2_hiera_tiny hrnet_w18_small iformer_t inception_next_atto lcnetv2_small lowformer_b0
    test_mambaout test_coatnet poolformerv2_s12 gmlp_ti16_224 mobilenetv3_small_050 mobilenetv5_base
    mobilevit_xxs mvitv2_tiny nasnetalarge nest_tiny nextvit_small test_nfnet pit_ti_224 pvt_v2_b0
    qwen3_vit_88m rdnet_tiny regnetx_002 repghostnet_050 repvit_m1 res2next50 resnest14d test_resnet
    resnetv2_18 rexnet_100 legacy_seresnet18 sequencer2d_s skresnet18 starnet_s050 swiftformer_xs
    swin_tiny_patch4_window7_224 swinv2_tiny_window16_256 swinv2_cr_tiny_224 tiny_vit_5m_224
    tnt_s_legacy_patch16_224 tresnet_m twins_svt_small visformer_tiny test_vit vit_tiny_r_s16_p8_224
    test_vit_relpos samvit_base_patch16_224 vitamin_small_224 volo_d1_224 ese_vovnet19b_slim_dw
    legacy_xception xception41p xcit_nano_12_p8_224 deit_tiny_distilled_patch16_224 efficientvim_m1_dist
    pit_ti_distilled_224 coat_lite_tiny mvitv2_small_cls mobilenetv4_conv_small_035 resnet50_clip
    vit_base_patch16_siglip_224 eva02_tiny_patch14_224 naflexvit_base_patch16_gap
    vit_small_patch14_reg4_dinov2 hieradet_small test_vit4 repvit_m0_9 efficientnet_b0
"""
AT_128 = """
    csatv2 efficientvit_m0 inception_resnet_v2 inception_v3 inception_v4 levit_128s selecsls42 shvit_s1
    levit_conv_128s
"""
AT_224 = """
    efficientformer_l1
"""
AT_240 = """
    crossvit_tiny_240
"""
AT_256 = """
    halonet_h1
"""

CASES = [
    (name, side)
    for side, names in [(64, AT_64), (128, AT_128), (224, AT_224), (240, AT_240), (256, AT_256)]
    for name in names.split()
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*dense_multimix is multimix")
@pytest.mark.parametrize(("name", "side"), CASES)
def test_dense_forward(name, side):
    """Logits, buffers and modes as after a plain pass; finite gradients that reach as far."""
    torch.manual_seed(0)
    try:
        model = timm.create_model(name, num_classes=7, img_size=side)
    except TypeError:
        model = timm.create_model(name, num_classes=7)
    images, start = torch.randn(3, 3, side, side), snapshot(model)
    torch.manual_seed(1)
    logits = model(images)
    plain, after_plain = gradient_norms(model, logits), snapshot(model)
    model.load_state_dict(start)
    torch.manual_seed(1)
    dense = dense_forward(model, images)
    assert torch.equal(dense.logits, logits)
    assert all(part.training for part in model.modules())
    assert all(torch.equal(value, after_plain[key]) for key, value in model.state_dict().items())
    assert dense.attention.isfinite().all()
    assert dense.attention.shape == dense.positions.shape[:2]
    reached = gradient_norms(model, dense.positions.flatten(0, 1))
    # Below this it is rounding: a bias in front of a BatchNorm, for instance.
    threshold = 1e-6 * max(plain.values())
    assert {n for n, norm in plain.items() if norm > threshold} <= {
        n for n, norm in reached.items() if norm > 0
    }


def snapshot(model):
    return {key: value.clone() for key, value in model.state_dict().items()}


def gradient_norms(model, logits):
    """Norm of each parameter's gradient for a loss that treats the rows of logits differently."""
    model.zero_grad(set_to_none=True)
    F.cross_entropy(logits, torch.arange(len(logits)) % 7).backward()
    norms = {n: float(p.grad.norm()) for n, p in model.named_parameters() if p.grad is not None}
    assert all(norm < float("inf") for norm in norms.values())
    return norms
