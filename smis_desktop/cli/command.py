"""What a command declares about itself, and how all commands are found."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from smis_desktop.cli import commands
from smis_desktop.cli.console import Answer, Console


@dataclass(frozen=True, eq=False)
class Command:
    """One command of `smis`.

    All of them are imported to build the parser, so a command imports what is slow to load (torch above all) inside
    its functions.
    """

    name: str
    help: str
    """One line, for `smis --help`."""
    order: int
    """Place in `smis --help`."""
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Console], Answer]


def all_commands() -> list[Command]:
    """Return every command in `smis_desktop.cli.commands`, in the order of `smis --help`."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.iter_modules(commands.__path__, f"{commands.__name__}.")
    ]
    return sorted((module.COMMAND for module in modules), key=lambda command: (command.order, command.name))
