"""What the model is least sure of: the samples that are chosen, and the places in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QSettings
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from torch import Tensor

from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.personal_model.label_transfer import RepresentativeVectors
from smis_desktop.personal_model.prediction import predict
from smis_desktop.training.workspace import Workspace
from smis_desktop.ui.assistant.label_page import LabelPage
from smis_desktop.ui.assistant.learned_page import LearnedPage
from smis_desktop.ui.assistant.overlays import unsure_cells
from smis_desktop.ui.dialogs.file_dialogs import FileDialogs
from smis_desktop.ui.widgets.qimage import qimage_to_picture
from smis_desktop.workers import label_trial
from smis_desktop.workers.label_trial import CANDIDATES, LabelTrial
from smis_desktop.workers.shot_messages import FIRST_SAMPLE, SAMPLES, LearnClasses, PaletteLearned, SamplePrediction
from tests.assistant.conftest import CLASSES, picture_and_label

SHOWN = np.full((256, 256, 3), 90, np.uint8)
CORNER = np.s_[:16, :16]


def unsure_in_the_corner() -> tuple[np.ndarray, np.ndarray]:
    certainty, label_map = np.full((64, 64), 0.9, np.float32), np.ones((64, 64), np.uint8)
    certainty[CORNER] = 0.1
    return certainty, label_map


class CountingBackend(TorchBackend):
    """Counts the pictures whose features it computes."""

    num_features = 0

    def label_features(self, ws: Tensor) -> dict[int, Tensor]:
        self.num_features += 1
        return super().label_features(ws)


@pytest.fixture
def backend(small: MobileStyleGAN) -> CountingBackend:
    return CountingBackend(small)


@pytest.fixture
def learning(small: MobileStyleGAN, backend: CountingBackend) -> LabelTrial:
    return LabelTrial(small, backend, lambda ws: SHOWN)


def test_shown_are_the_least_certain_of_many(
    learning: LabelTrial,
    workspace: Workspace,
    small: MobileStyleGAN,
    backend: CountingBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = {tried.seed: tried.uncertainty for tried in learning.learn(LearnClasses(workspace.path, 1)).samples}
    assert len(shown) == SAMPLES
    assert list(shown.values()) == sorted(shown.values(), reverse=True)
    monkeypatch.setattr(label_trial, "SAMPLES", CANDIDATES)
    all_samples = LabelTrial(small, backend, lambda ws: SHOWN).learn(LearnClasses(workspace.path, 1)).samples
    assert {tried.seed for tried in all_samples} == set(range(FIRST_SAMPLE, FIRST_SAMPLE + CANDIDATES))
    assert shown == {tried.seed: tried.uncertainty for tried in all_samples[:SAMPLES]}


def test_what_became_a_shot_is_not_shown_again(
    learning: LabelTrial, workspace: Workspace, small: MobileStyleGAN
) -> None:
    first = learning.learn(LearnClasses(workspace.path, 1)).samples[0]
    picture, label = picture_and_label(small, first.seed)
    workspace.set_label(workspace.add_generated(picture, first.seed, 1.0), label)
    again = learning.learn(LearnClasses(workspace.path, 2))
    assert len(again.samples) == SAMPLES
    assert first.seed not in [tried.seed for tried in again.samples]


def test_a_slider_shows_the_same_pictures_without_making_them_again(
    learning: LabelTrial, workspace: Workspace, backend: CountingBackend
) -> None:
    workspace.change(label_kind="sparse")
    before = learning.learn(LearnClasses(workspace.path, 1))
    assert backend.num_features == CANDIDATES
    workspace.change(threshold=0.8)
    after = learning.learn(LearnClasses(workspace.path, 2))
    assert backend.num_features == CANDIDATES
    assert [tried.seed for tried in after.samples] == [tried.seed for tried in before.samples]


def test_of_points_too_it_is_known_where_they_are_unsure() -> None:
    vectors = RepresentativeVectors(torch.eye(2), torch.tensor([0, 1]), 2, 2, "sparse", 1, 0.2)
    # Above all like the first class, below between both.
    features = torch.tensor([[[1.0, 1.0], [0.7, 0.7]], [[0.5, 0.5], [0.7, 0.7]]])[None]
    certainty = predict(vectors, {2: features}).certainty
    assert bool((certainty[0] > 0.9).all())
    assert bool((certainty[1] < 0.1).all())


def test_marked_are_the_least_sure_of_what_has_a_class() -> None:
    certainty, label_map = unsure_in_the_corner()
    marked = unsure_cells(certainty, label_map)
    assert marked[CORNER].all()
    assert marked.sum() == 16 * 16
    label_map[CORNER] = 255
    assert not unsure_cells(certainty, label_map).any(), "sure of the rest"
    assert not unsure_cells(certainty, np.full_like(label_map, 255)).any()


def test_an_outline_is_marked_only_where_nothing_else_is_unsure() -> None:
    certainty, label_map = unsure_in_the_corner()
    certainty[40:42] = 0.05
    assert not unsure_cells(certainty, label_map)[40:42].any()
    certainty[CORNER] = 0.9
    assert unsure_cells(certainty, label_map)[40:42].all()


def _corner_and_rest(picture: np.ndarray) -> tuple[float, float]:
    """How much each varies."""
    quarter, half = len(picture) // 4, len(picture) // 2
    parts = picture[: quarter - 4, : quarter - 4], picture[half:, half:]
    corner, rest = (float(part.std((0, 1)).max()) for part in parts)
    return corner, rest


def test_the_samples_show_where_they_are_unsure(qtbot: QtBot) -> None:
    page = LearnedPage()
    qtbot.addWidget(page)
    certainty, label_map = unsure_in_the_corner()
    samples = tuple(SamplePrediction(seed, SHOWN, label_map, certainty, 0.2) for seed in range(SAMPLES))
    page.show_learned(PaletteLearned(1, (), samples, False, 0.1), CLASSES)
    page.list.setCurrentRow(2)

    def shown() -> np.ndarray:
        return qimage_to_picture(page.list.item(2).icon().pixmap(208, 208).toImage())

    corner, rest = _corner_and_rest(shown())
    assert corner > 20
    assert rest == 0
    page.unsure_box.click()
    assert _corner_and_rest(shown()) == (0, 0)
    assert page.list.currentRow() == 2
    with qtbot.waitSignal(page.correct_wanted) as correct:
        page.correct_button.click()
    assert correct.args == [samples[2]]
    with qtbot.waitSignal(page.learn_wanted) as others:
        page.others_button.click()
    assert others.args[0] >= FIRST_SAMPLE + CANDIDATES, "others, not those of which these were chosen"


def test_a_sample_that_is_corrected_still_shows_where(
    workspace: Workspace, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = QWidget()
    qtbot.addWidget(host)
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    page = LabelPage(workspace, FileDialogs(host), settings)
    qtbot.addWidget(page)
    photos: list[QImage] = []
    monkeypatch.setattr(page.underlay, "set_photo", photos.append)
    certainty, label_map = unsure_in_the_corner()
    name = workspace.add_generated(SHOWN, 700_003, 1.0)
    workspace.set_label(name, label_map)
    page.show_shot(name, certainty)

    def underlay() -> np.ndarray:
        return qimage_to_picture(photos[-1])

    assert not page.unsure_box.isHidden()
    corner, rest = _corner_and_rest(underlay())
    assert corner > 20
    assert rest == 0
    page.unsure_box.click()
    assert _corner_and_rest(underlay()) == (0, 0)
    page.unsure_box.click()
    page.show_shot("seed-000001")
    assert page.unsure_box.isHidden(), "nobody believed anything of that one"
    page.show_shot(name)
    assert _corner_and_rest(underlay())[0] > 20, "remembered"
