"""`python -m smis_desktop`, and the entry points of `smis` and of the frozen program."""

from __future__ import annotations

import multiprocessing
import runpy
import sys
from typing import NoReturn

from smis_desktop.main import main


def _is_asked_for_pip() -> bool:
    """Return whether this frozen program was started as `sys.executable -m pip`: a frozen program is its own Python."""
    return bool(getattr(sys, "frozen", False)) and sys.argv[1:3] == ["-m", "pip"]


def run() -> NoReturn:
    """Run the program: the entry point of `smis`."""
    end(main())


def end(code: int) -> NoReturn:
    """End the process with an exit code.

    After a command that has used torch the interpreter is not shut down: threads of the libraries may abort it then,
    after all its work is done.
    """
    if "torch" not in sys.modules or "PySide6" in sys.modules:
        sys.exit(code)
    from smis_desktop.training.distributed import exit_immediately

    exit_immediately(code)


if __name__ == "__main__":
    # Processes that a frozen program spawns, such as the training, continue here.
    multiprocessing.freeze_support()
    if _is_asked_for_pip():
        del sys.argv[1:3]
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    run()
