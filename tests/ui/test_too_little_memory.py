"""A card whose memory runs out while somebody paints: the processor goes on, and the window says so once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from smis_desktop.evaluation.ground_truth import exact_picture, train_briefly
from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.generators.store import open_generator
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.landscapes.shapes import PALETTE
from smis_desktop.personal_model.model import write_personal_model
from smis_desktop.workers.renderer import open_renderer
from tests.ui.conftest import MakeWindow, is_finished

WAIT = 60_000


def test_the_window_names_what_makes_the_pictures_now(
    make_window: MakeWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path / "bare"))
    monkeypatch.setenv("SMIS_BACKEND", "torch-bf16")
    generator = open_generator("landscapes")
    shot = exact_picture(generator, 0)
    model, layout = tmp_path / "land.smismodel", tmp_path / "layout.png"
    write_personal_model(model, train_briefly(generator, [shot], "probe", 8, 1, lambda share: None))
    layout.write_bytes(encode_label_map(shot.label_map, PALETTE))

    computed = TorchBackend.coarse_features
    is_listened_to = threading.Event()

    def full(backend: TorchBackend, *inputs: object) -> object:
        if backend.precision == "bfloat16":  # the processor takes over in float32
            assert is_listened_to.wait(WAIT / 1000)
            raise torch.OutOfMemoryError("CUDA out of memory")
        return computed(backend, *inputs)

    monkeypatch.setattr(TorchBackend, "coarse_features", full)
    window = make_window(open_first=open_renderer(model), layout=layout, palette=PALETTE)
    said: list[str] = []
    window.status.messageChanged.connect(said.append)
    is_listened_to.set()
    qtbot.waitUntil(lambda: is_finished(window), timeout=WAIT)
    assert sum("Too little memory" in words for words in said) == 1
    assert any("torch, float32" in label.text() for label in window.status.findChildren(QLabel))
    assert window.model.about is not None
    assert window.model.about.device.endswith("torch, float32")
