"""The command line. A command is one file in `commands/`; what commands share lies beside that folder."""
