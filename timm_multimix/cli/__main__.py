"""`python -m timm_multimix.cli`: the same as `timm-multimix`."""

from . import run_process

if __name__ == "__main__":
    run_process()
