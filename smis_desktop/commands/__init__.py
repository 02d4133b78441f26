"""One module per `smis` subcommand."""
