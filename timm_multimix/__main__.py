"""`python -m timm_multimix`: the same as `timm-multimix`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
