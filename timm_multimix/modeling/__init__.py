"""Networks of timm: created, loaded from pretrained weights, described."""
