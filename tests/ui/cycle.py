"""A program of its own: open the window, paint with the mouse, close in mid-preview. Told as JSON on stdout.

Run as `python -m tests.ui.cycle COUNT FOLDER`: COUNT windows, one after another, in one process.
"""

from __future__ import annotations

import gc
import json
import random
import resource
import sys
import time
from pathlib import Path

from PySide6.QtCore import QEvent, QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox

from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.ui.widgets.theme import apply_theme
from smis_desktop.ui.window.main_window import MainWindow
from smis_desktop.ui.window.preview_controller import PreviewController
from tests.workers.paint_by_palette import FACE, PaintByPalette


def cycle(folder: Path, layout: Path, number: int) -> float:
    """One window. Returns the seconds that closing took."""
    settings = QSettings(str(folder / "window.ini"), QSettings.Format.IniFormat)
    preview = PreviewController(lambda progress: PaintByPalette())
    window = MainWindow(
        preview, lambda path: lambda progress: PaintByPalette(), layout, random.Random(number), settings, folder
    )
    window.start(Path("m.smismodel"), layout, FACE)
    window.show()
    QTest.qWaitForWindowExposed(window)
    canvas = window.canvas
    draws = random.Random(number)
    for _ in range(3):
        points = [canvas.rect().center()]
        for _ in range(6):
            points.append(points[-1] + type(points[0])(draws.randint(-40, 40), draws.randint(-40, 40)))
        QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=points[0])
        for point in points[1:]:
            QTest.mouseMove(canvas, point)
        QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=points[-1])
    QApplication.processEvents()
    started = time.monotonic()
    window.close()
    box = window.findChild(QMessageBox)
    if box is not None:
        box.button(QMessageBox.StandardButton.Discard).click()
    ended = preview.close(10.0)
    assert ended, "the preview thread did not end"
    assert not window.isVisible()
    window.deleteLater()
    QApplication.processEvents()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    seconds = time.monotonic() - started
    del window, canvas, box, preview
    gc.collect()  # Python and Qt hold each other in circles; what counts is that nothing else holds them
    return seconds


def main() -> None:
    import numpy as np

    count, folder = int(sys.argv[1]), Path(sys.argv[2])
    application = QApplication(["smis"])
    apply_theme(application)
    layout = folder / "layout.png"
    layout.write_bytes(encode_label_map(np.ones((128, 128), np.uint8), FACE))
    closing, memory = [], []
    for number in range(count):
        closing.append(cycle(folder, layout, number))
        memory.append(_resident_kb())
    print(json.dumps({"closing": closing, "memory_kb": memory}))


def _resident_kb() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() // 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
