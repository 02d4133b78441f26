"""`smis desktop-entry`: add the program to the menu of a Linux desktop, or remove it."""

from __future__ import annotations

import argparse
import sys

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console
from smis_desktop.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis desktop-entry [--remove]`."""
    parser.add_argument("--remove", action="store_true", help="remove it again")


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Write or remove the files, for this user only."""
    from smis_desktop.storage.desktop_entry import (
        install_desktop_entry,
        remove_desktop_entry,
        start_command,
        user_share,
    )

    if not sys.platform.startswith("linux"):
        raise UserError("smis desktop-entry is for Linux; on this system the packaged program is in the menu already.")
    share = user_share()
    if arguments.remove:
        files = remove_desktop_entry(share)
        words = f"Removed from the menu: {len(files)} files below {share}."
    else:
        files = install_desktop_entry(share, start_command())
        words = f"In the menu, and opened by .smis and .smismodel files: {len(files)} files below {share}."
    return Answer({"files": [str(path) for path in files]}, words)


COMMAND = Command(
    "desktop-entry",
    "put the program into the menu of a Linux desktop, and open its files by double click",
    order=120,
    add_arguments=add_arguments,
    run=run,
)
