"""timm's networks: created, loaded from pretrained weights, described."""
