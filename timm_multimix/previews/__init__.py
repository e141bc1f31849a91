"""What a spec does, as an image."""
