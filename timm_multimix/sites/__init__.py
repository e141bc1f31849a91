"""Places inside a network where examples are mixed."""
