"""One module for each command, with `main(argv) -> int`; `timm_multimix.cli.COMMANDS` lists them."""
