"""Previews: a mixer spec as a figure."""
