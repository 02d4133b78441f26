"""The diagnostics report: versions, machine, what was open and the end of the log, without personal names."""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from smis_desktop import __version__
from smis_desktop.diagnostics.log_file import last_lines
from smis_desktop.distributions import parts

_LINES = 120
_TOO_SHORT_TO_REPLACE = 3
"""Shorter names stay: they are parts of other words, and reveal little."""


def diagnostics(facts: Mapping[str, str], trace: str = "") -> str:
    """Return the report as plain text, without home folder, user name and computer name.

    Args:
        facts: what the window knows (device, backend, generator, model), by name.
        trace: traceback of the fault that the report is about, if any.
    """
    about = {
        "SMIS Desktop": __version__ + (" (packaged)" if getattr(sys, "frozen", False) else ""),
        "Python": platform.python_version(),
        "System": f"{platform.platform()}, {os.cpu_count()} CPUs",
        **facts,
        "Parts": ", ".join(f"{part.name} {part.version}" for part in parts()),
    }
    blocks = ["\n".join(f"{name}: {value}" for name, value in about.items())]
    if trace:
        blocks.append(f"What happened:\n{trace.rstrip()}")
    blocks.append("The end of the log:\n" + ("\n".join(last_lines(_LINES)) or "(empty)"))
    return without_personal_names("\n\n".join(blocks)) + "\n"


def without_personal_names(text: str) -> str:
    """Replace the home folder in the text by `~`, and user and computer name by placeholders."""
    for home in dict.fromkeys((str(Path.home()), os.path.realpath(Path.home()))):
        if len(home) >= _TOO_SHORT_TO_REPLACE:
            text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
    for name, stand_in in ((_user_name(), "USER"), (socket.gethostname(), "COMPUTER")):
        if len(name) >= _TOO_SHORT_TO_REPLACE:
            text = re.sub(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", stand_in, text, flags=re.IGNORECASE)
    return text


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        return ""
