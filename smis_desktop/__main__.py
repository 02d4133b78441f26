"""`python -m smis_desktop`, and the entry points of `smis` and of the frozen program."""

from __future__ import annotations

import multiprocessing
import runpy
import sys
from typing import NoReturn

from smis_desktop.main import main


def _is_asked_for_pip() -> bool:
    """A frozen program is its own Python: what runs `sys.executable -m pip` comes back here."""
    return bool(getattr(sys, "frozen", False)) and sys.argv[1:3] == ["-m", "pip"]


def run() -> NoReturn:
    """`smis`."""
    end(main())


def end(code: int) -> NoReturn:
    """The process ends with that exit code. A window takes itself apart in good order; a command that has computed does
    not, since threads of the libraries may abort it then, after all its work is done."""
    if "torch" not in sys.modules or "PySide6" in sys.modules:
        sys.exit(code)
    from smis_desktop.training.distributed import end_at_once

    end_at_once(code)


if __name__ == "__main__":
    # The same holds for the training process: in a frozen program it turns off here.
    multiprocessing.freeze_support()
    if _is_asked_for_pip():
        del sys.argv[1:3]
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    run()
