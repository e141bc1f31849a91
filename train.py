"""The same as `timm-multimix train`, for `accelerate launch train.py`."""

import sys

from timm_multimix.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
