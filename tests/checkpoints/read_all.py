"""Reads every file of a folder as an import does, each in a process of its own: `python read_all.py FOLDER`.

The processes are forked, which costs milliseconds where starting each anew would cost half a second. Prints one JSON
line a file: name, exit code, answer, seconds of processor time, peak of memory in KiB, bytes written.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from pathlib import Path

from smis_desktop.generators.checkpoints.confined_reader import work


def main(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        here, there = multiprocessing.Pipe(duplex=False)
        target = folder.parent / "target"
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                work(there, str(path), str(target), None)
                code = 0
            finally:
                os._exit(code)
        there.close()
        try:
            answer = json.loads(here.recv_bytes()) if here.poll(20) else None
        except EOFError:
            answer = None
        _, status, usage = os.wait4(pid, 0)
        facts = {
            "name": path.name,
            "code": os.waitstatus_to_exitcode(status),
            "answer": answer,
            "seconds": usage.ru_utime + usage.ru_stime,
            "peak": usage.ru_maxrss,
            "written": target.stat().st_size if target.exists() else 0,
        }
        target.unlink(missing_ok=True)
        print(json.dumps(facts), flush=True)


main(Path(sys.argv[1]))
