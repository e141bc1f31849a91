"""Runs side by side: made or collected, grouped, counted, drawn, told."""
