"""The command line. Each command is one file in `commands/`; the other modules hold what commands share."""
