"""Labelled images: datasets by name, splits, decoding, transforms, batches and loaders."""
