"""What stands on the page while a training goes on."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from smis_desktop.jobs.training import PhotoGrowing, SmallerBatch, Trained, TrainingStep
from smis_desktop.ui.workshop.train_page import TrainPage


def shown(page: TrainPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def test_the_note_of_too_little_memory_stays_and_the_photo_goes_with_its_search(qtbot: QtBot) -> None:
    page = TrainPage()
    qtbot.addWidget(page)
    page.show()
    page.show_begun()
    page.show_message(TrainingStep("inverting", 0.1, 250.0, 1.0, "aunt"))
    page.show_message(PhotoGrowing(np.full((256, 256, 3), 200, np.uint8)))
    assert "“aunt” · about 4 min left" in shown(page)
    photo = page._photo
    assert photo.isVisible()
    assert photo.pixmap().toImage().pixelColor(5, 5).red() == 200
    page.show_message(SmallerBatch(16))
    page.show_message(TrainingStep("encoder", 0.6, 80.0, 1.0))
    assert not photo.isVisible()
    assert "too little memory" in shown(page)
    assert "about 80 s left" in shown(page)
    page.show_message(Trained(page.parent(), 60.0))  # type: ignore[arg-type]
    assert "too little memory" not in shown(page)
