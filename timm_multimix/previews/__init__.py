"""What a spec does, as a picture."""
