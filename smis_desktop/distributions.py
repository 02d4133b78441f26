"""The installed distributions that the program needs, and their licences."""

from __future__ import annotations

import importlib.metadata
import re
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

PROGRAM = "smis-desktop"

_REQUIREMENT = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_LICENCE_FILE = re.compile(r"(^|/)(licen[cs]e|copying|notice)[^/]*$", re.IGNORECASE)
_MAX_LICENCE_NAME = 60


@dataclass(frozen=True)
class Part:
    """A distribution that the program includes. licence: in a few words, empty if it names none."""

    name: str
    version: str
    licence: str


def needed_distributions() -> tuple[str, ...]:
    """Return the program's own distribution and all installed ones that it needs, in alphabetical order.

    Distributions that only an extra requires are left out.
    """
    found: set[str] = set()
    waiting = [PROGRAM]
    while waiting:
        name = waiting.pop()
        normal = re.sub(r"[-_.]+", "-", name).lower()
        if normal in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except PackageNotFoundError:
            continue
        found.add(normal)
        for requirement in distribution.requires or ():
            match = _REQUIREMENT.match(requirement)
            if match and not re.search(r";.*\bextra\s*==", requirement):
                waiting.append(match[1])
    return tuple(sorted(found))


def parts() -> tuple[Part, ...]:
    """Return all distributions that the program includes, except its own, sorted by name."""
    found = []
    for name in needed_distributions():
        if name != PROGRAM:
            distribution = importlib.metadata.distribution(name)
            found.append(Part(distribution.metadata["Name"], distribution.version, _licence_name(distribution)))
    return tuple(sorted(found, key=lambda part: part.name.lower()))


def licence_text(name: str) -> str:
    """Return the full text of a distribution's licence files, one after another; empty if it has none.

    Raises PackageNotFoundError for a name that is not installed.
    """
    texts = []
    for file in importlib.metadata.distribution(name).files or ():
        if _LICENCE_FILE.search(file.as_posix()) and ".dist-info" in file.as_posix():
            try:
                texts.append(Path(str(file.locate())).read_text(encoding="utf-8", errors="replace").strip())
            except OSError:
                continue  # listed but not installed
    return "\n\n\n".join(texts)


def _licence_name(distribution: Distribution) -> str:
    """Return the licence expression, else the first line of the licence text, else the licences in the classifiers."""
    metadata = distribution.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    classifiers = [
        value.rpartition(" :: ")[2]
        for value in metadata.get_all("Classifier") or ()
        if value.startswith("License :: ") and not value.endswith("OSI Approved")
    ]
    stated = (metadata.get_all("License") or [""])[0].strip().partition("\n")[0].rpartition(":: ")[2]
    if classifiers and not 0 < len(stated) <= _MAX_LICENCE_NAME:
        return ", ".join(classifiers)
    return str(stated[:_MAX_LICENCE_NAME])
