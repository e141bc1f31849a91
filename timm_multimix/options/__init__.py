"""The options of `train`: flags, config files and their defaults. Nothing heavy is imported here."""

from .checks import fill_defaults
from .config import options_to_dict, options_to_yaml
from .parser import build_parser, parse_train_options

__all__ = ["build_parser", "fill_defaults", "options_to_dict", "options_to_yaml", "parse_train_options"]
