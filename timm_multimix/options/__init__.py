"""Options: typed declarations, and everything derived from them. Nothing heavy is imported here."""

from .config import options_to_dict, options_to_yaml
from .train import TrainOptions, fill_defaults, parse_train_options

__all__ = ["TrainOptions", "fill_defaults", "options_to_dict", "options_to_yaml", "parse_train_options"]
