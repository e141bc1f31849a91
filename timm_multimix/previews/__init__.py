"""Previews: figures of examples mixed by a spec."""
