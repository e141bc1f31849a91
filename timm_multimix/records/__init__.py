"""The files in a run's directory: their schema, and how they are read."""
