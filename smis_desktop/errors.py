"""The exception for errors that people can fix themselves."""

from __future__ import annotations


class UserError(Exception):
    """Bad input or a missing prerequisite, explained in one sentence.

    The message names the file (or option) and says what to do. The command line prints it and exits with code 2; the
    window shows it in a dialog. Code that raises it has written nothing.
    """
