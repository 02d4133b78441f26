"""What stands on the page while a training goes on."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from smis_desktop.training.events import SmallerBatch
from smis_desktop.ui.assistant.train_page import TrainPage
from smis_desktop.workers.training_process import PhotosGrowing, Trained, TrainingStep


def shown(page: TrainPage) -> str:
    return "\n".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def test_the_note_of_too_little_memory_stays_and_the_photo_goes_with_its_search(qtbot: QtBot) -> None:
    page = TrainPage()
    qtbot.addWidget(page)
    page.show()
    page.show_started()
    page.show_message(TrainingStep("inverting", 0.1, 250.0, 1.0, ("aunt", "uncle")))
    page.show_message(PhotosGrowing((np.full((256, 256, 3), 200, np.uint8), np.full((256, 256, 3), 90, np.uint8))))
    assert "“aunt”, “uncle” · about 4 min left" in shown(page)
    photos = [label for label in page.findChildren(QLabel) if "reconstruction" in label.accessibleName()]
    assert all(photo.isVisible() for photo in photos)
    assert [photo.pixmap().toImage().pixelColor(5, 5).red() for photo in photos] == [200, 90]
    page.show_message(SmallerBatch(16))
    page.show_message(TrainingStep("encoder", 0.6, 80.0, 1.0))
    assert not any(photo.isVisible() for photo in photos)
    assert "too little memory" in shown(page)
    assert "about 80 s left" in shown(page)
    page.show_message(Trained(page.parent(), 60.0))  # type: ignore[arg-type]
    assert "too little memory" not in shown(page)
