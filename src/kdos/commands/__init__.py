"""One file a command: `add_arguments(parser)` says what it takes, `main(args)` does it."""
