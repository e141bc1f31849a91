"""`python -m timm_multimix`: the same as `timm-multimix`."""

from .cli import run_process

if __name__ == "__main__":
    run_process()
