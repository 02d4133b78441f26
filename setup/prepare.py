"""Makes the checkout ready to start the program or to run its tests; where nothing has changed it returns at once.

    python3 setup/prepare.py start|test

Runs on a bare Python (3.11 or newer) with the standard library only. Exit codes: 0 ready, 1 something failed (the log
says what), 2 a system package is missing and only an administrator can install it, 130 interrupted.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from progress import Log, SetupFailed
from system_packages import RUNNING, TESTING, provide, unmet
from virtual_environment import bring_up_to_date, exclusively, is_current, wanted_record

CHECKOUT = Path(__file__).resolve().parent.parent
STATE = CHECKOUT / ".cache" / "setup"


def main() -> int:
    """Set up for the purpose named on the command line."""
    parser = argparse.ArgumentParser(prog="prepare.py", description="Make this checkout ready.")
    parser.add_argument("purpose", choices=["start", "test"])
    testing = parser.parse_args().purpose == "test"
    needs = RUNNING + (TESTING if testing else ())
    venv, unfinished = CHECKOUT / ".venv", STATE / "unfinished"
    signal.signal(signal.SIGTERM, _terminated)
    try:
        wanted = wanted_record(CHECKOUT, ["docs", "test"] if testing else [])
        if not unmet(needs) and is_current(venv, unfinished, wanted):
            return 0
        STATE.mkdir(parents=True, exist_ok=True)
        with exclusively(STATE / "lock") as lock, Log(STATE / "log.txt", lock) as log:
            provide(needs, log)
            if not is_current(venv, unfinished, wanted):
                bring_up_to_date(venv, unfinished, wanted, log)
    except SetupFailed as failure:
        print(failure, file=sys.stderr)
        return failure.exit_code
    except PermissionError as error:
        print(f"{error.filename} cannot be written: run this as the user who owns {CHECKOUT}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again: it repairs what is unfinished.", file=sys.stderr)
        return 130
    return 0


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
