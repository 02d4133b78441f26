"""`python -m smis_desktop`, and the entry point of the frozen program."""

import multiprocessing
import sys

from smis_desktop.cli import main

if __name__ == "__main__":
    # In a frozen program the training process is this very executable, started anew: it must turn off here.
    multiprocessing.freeze_support()
    sys.exit(main())
