"""Comparisons of runs: trained or collected, grouped, summarized, drawn, reported."""
