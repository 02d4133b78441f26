"""The one exception that means "the person can put this right"."""

from __future__ import annotations


class UserError(Exception):
    """Bad input or a missing prerequisite, told in one sentence.

    The message names the file (or option) and what to do about it. The command line prints it and exits with
    code 2; the window shows it in a dialog. Whoever raises it has written nothing.
    """
