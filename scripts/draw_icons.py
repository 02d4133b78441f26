"""Draws the program's icon in the sizes that desktops ask for: `python scripts/draw_icons.py`.

The source is resources/icons/smis.svg; the pictures go to resources/desktop/icons/.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from PySide6.QtCore import QRectF, Qt  # noqa: E402
from PySide6.QtGui import QGuiApplication, QImage, QPainter  # noqa: E402
from PySide6.QtSvg import QSvgRenderer  # noqa: E402

from smis_desktop.resources import ICON_SIDES, desktop_icon_path, resources_folder  # noqa: E402


def main() -> None:
    application = QGuiApplication(["draw_icons"])
    renderer = QSvgRenderer(str(resources_folder() / "icons" / "smis.svg"))
    for side in ICON_SIDES:
        image = QImage(side, side, QImage.Format.Format_ARGB32)
        image.fill(Qt.GlobalColor.transparent)
        painter = QPainter(image)
        renderer.render(painter, QRectF(image.rect()))
        painter.end()
        path = desktop_icon_path(side)
        if not image.save(str(path)):
            sys.exit(f"{path} cannot be written")
    application.quit()


if __name__ == "__main__":
    main()
