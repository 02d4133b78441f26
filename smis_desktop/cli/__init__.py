"""The command line: one module a command.

Every module offers `HELP` (one line), `add_arguments(parser)` and `run(arguments, console) -> Answer`. They are all
imported to build the parser, so what is slow to import (torch above all) is imported inside the functions.
"""
