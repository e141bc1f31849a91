"""The places inside a network where examples are mixed, and the passes through it."""
