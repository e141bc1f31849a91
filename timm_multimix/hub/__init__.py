"""Publishing to and loading from the Hugging Face Hub; only huggingface_hub handles the token."""
