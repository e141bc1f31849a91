"""The same as `timm-multimix train`, for `accelerate launch train.py`."""

import sys

from timm_multimix.cli import run_process

if __name__ == "__main__":
    run_process(["train", *sys.argv[1:]])
