"""Publishing to and loading from the Hugging Face Hub; the token is the client's business alone."""
