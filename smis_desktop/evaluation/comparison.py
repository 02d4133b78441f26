"""A measurement held against an earlier one of `smis bench --json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smis_desktop.errors import UserError


def read_earlier(path: Path) -> dict[str, Any]:
    """What `smis bench --json` printed into that file. Raises UserError when it holds anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); name the output of smis bench --json.") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON; name the output of smis bench --json.") from error
    if not isinstance(found, dict) or not medians(found):
        raise UserError(f"{path} holds no measurements; name the output of smis bench --json.")
    return found


def medians(facts: Mapping[str, Any]) -> dict[str, float]:
    """{figure: milliseconds}, of every figure with a median."""
    return {
        name: float(value["median"])
        for name, value in facts.items()
        if isinstance(value, dict) and isinstance(value.get("median"), int | float)
    }


def compared(facts: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, float]:
    """{figure: median now ÷ median then}, of those that both have: below 1 is faster."""
    before = medians(earlier)
    return {name: round(now / before[name], 3) for name, now in medians(facts).items() if before.get(name)}
