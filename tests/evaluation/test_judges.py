"""Judges of layout fidelity: what they see in faces that were labelled by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from smis_desktop.document.composition import Composition
from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.errors import UserError
from smis_desktop.evaluation.face_classes import FACE_CLASSES, merged_ids, read_palette
from smis_desktop.evaluation.face_landmarks import PARTS, FaceLandmarks, compare_parts, open_face_landmarks
from smis_desktop.evaluation.face_reader import SIDE, FaceReader, open_face_reader
from smis_desktop.evaluation.judges import PixelJudge, fidelity, merged_fidelity
from smis_desktop.evaluation.metrics import confusion_matrix
from smis_desktop.formats.shots_folder import ShotsFolder, read_shots
from smis_desktop.inference.synthesizer import PictureResult
from smis_desktop.resources import resources_folder
from tests.evaluation.test_unseen_layouts import celebamask_palette

NOTHING = Composition(np.zeros((1, 1), np.float32))


@pytest.fixture(scope="module")
def shots() -> ShotsFolder:
    return read_shots(resources_folder() / "faces-shots")


@pytest.fixture(scope="module")
def reader() -> FaceReader:
    return open_face_reader()


@pytest.fixture(scope="module")
def landmarks() -> FaceLandmarks:
    return open_face_landmarks(lambda words, fraction: None)


def test_the_reader_sees_what_was_labelled_by_hand(shots: ShotsFolder, reader: FaceReader) -> None:
    judge = PixelJudge(reader, shots.palette)
    matrix = np.zeros((10, 11), np.int64)
    for shot in shots.shots:
        matrix += judge.compare(shot.label_map, PictureResult(shot.picture, NOTHING, NOTHING))
    found = fidelity(matrix, judge.palette)
    assert found["mean_iou"] > 0.72
    assert found["pixel_accuracy"] > 0.9
    assert all(entry["iou"] > 0.4 for entry in found["classes"])


def test_the_reader_sees_a_mirror_image_mirrored(shots: ShotsFolder, reader: FaceReader) -> None:
    picture = shots.shots[0].picture
    seen, mirrored = reader.read(picture), reader.read(np.ascontiguousarray(picture[:, ::-1]))
    assert seen.shape == (SIDE, SIDE)
    assert (seen[:, ::-1] == mirrored).mean() > 0.999


def test_the_reader_judges_faces_alone(reader: FaceReader) -> None:
    with pytest.raises(UserError, match="knows faces alone"):
        PixelJudge(reader, Palette((SemanticClass(0, "sky", (0, 0, 0)),)))


def test_nineteen_classes_are_merged_to_ten() -> None:
    palette = celebamask_palette()
    asked = np.arange(19, dtype=np.uint8).reshape(1, 19)
    swapped = asked.copy()
    swapped[0, 4:8] = (5, 4, 7, 6)  # left for right
    matrix = confusion_matrix(asked, swapped, palette)
    apart, merged = fidelity(matrix, palette), merged_fidelity(matrix, palette)
    assert apart["pixel_accuracy"] == pytest.approx(15 / 19, abs=1e-4)
    assert merged is not None
    assert merged["pixel_accuracy"] == 1.0
    assert [entry["name"] for entry in merged["classes"]] == list(FACE_CLASSES)
    assert merged_fidelity(matrix[:10, :11], Palette(read_palette().classes[:10])) is None, "no more than ten"


@pytest.mark.network
def test_landmarks_lie_where_eyes_brows_and_mouths_were_labelled(shots: ShotsFolder, landmarks: FaceLandmarks) -> None:
    table = merged_ids(shots.palette)
    assert table is not None
    rows = [compare_parts(landmarks.find(shot.picture), table[shot.label_map]) for shot in shots.shots]
    least = {"eyes": 0.65, "brows": 0.38, "mouth": 0.78}
    for part in PARTS:
        figures = [row[part] for row in rows]
        assert np.mean([figure["iou"] for figure in figures if figure]) > least[part]
        assert all(figure["offset"] < 0.03 for figure in figures if figure)


@pytest.mark.network
def test_landmarks_turn_and_grow_with_the_picture(shots: ShotsFolder, landmarks: FaceLandmarks) -> None:
    picture = shots.shots[1].picture
    plain, small = landmarks.find(picture), landmarks.find(np.ascontiguousarray(picture[::2, ::2]))
    assert plain is not None
    assert small is not None
    for part in PARTS:
        one, other = plain.mask(part), small.mask(part)
        assert (one & other).sum() / (one | other).sum() > 0.8


@pytest.mark.network
def test_where_no_face_is_nothing_is_found(landmarks: FaceLandmarks) -> None:
    assert landmarks.find(np.zeros((256, 256, 3), np.uint8)) is None
    layout = np.full((64, 64), FACE_CLASSES.index("skin"), np.uint8)
    layout[20:24, 10:20] = FACE_CLASSES.index("eyes")
    found = compare_parts(None, layout)
    assert found["mouth"] is None, "the layout has none"
    assert found["eyes"] is not None
    assert found["eyes"]["iou"] == 0


@pytest.mark.network
def test_damaged_landmarks_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, landmarks: FaceLandmarks) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path))
    (tmp_path / "networks").mkdir()
    for name in ("face-landmark", "iris-landmark"):
        (tmp_path / "networks" / f"{name}.tflite").write_bytes(b"something else")
    with pytest.raises(UserError, match="damaged; delete it"):
        open_face_landmarks(lambda words, fraction: None)
