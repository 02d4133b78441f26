"""Judges of layout fidelity: each reads the classes off pictures and compares them with the layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from smis_desktop.document.palette import EMPTY, Palette
from smis_desktop.document.reduction import reduce_label_map
from smis_desktop.document.style import Style
from smis_desktop.errors import UserError
from smis_desktop.evaluation.face_classes import FACE_CLASSES, face_palette, merged_ids, read_palette
from smis_desktop.evaluation.face_landmarks import PARTS, FaceLandmarks, compare_parts
from smis_desktop.evaluation.face_reader import FaceReader
from smis_desktop.evaluation.metrics import class_iou, confusion_matrix, mean_iou, pixel_accuracy, rounded
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult, Synthesizer
from smis_desktop.personal_model.encoder import layout_channels

_SIDE = 256

OWN = (
    "The judge is the model's own segmentation of its pictures: it shares the model's mistakes, and refinement "
    "optimises it directly, so these figures can be gamed. Compare with an independent judge before believing them."
)
_OTHER = (
    "The judge is the segmentation of the model “{name}”: less partial than the model's own, as far as it has seen "
    "other shots, but no independent network either."
)
_PIXELS = (
    "The judge is a network that reads ten classes of faces off the finished pixels. It was taught with pictures "
    "of the generator and labels that no personal model has seen, and nothing is optimised on it."
)
LANDMARKS = (
    "Landmarks are those of MediaPipe's face mesh, which was taught with photographs: IoU of outlines with the layout, "
    "and distance of their centres in parts of the side. Photographs with their own labels reach about 0.78, 0.43 and "
    "0.83 for eyes, brows and mouths."
)


class Judge(Protocol):
    """Reads pictures. name: as `--judge` names it. words: what it is, for people. palette: the classes it compares."""

    name: str
    words: str
    palette: Palette

    def compare(self, layout: np.ndarray, result: PictureResult) -> np.ndarray:
        """Return the confusion matrix, as `confusion_matrix` does, of a layout, uint8 [S, S] class ids, and the picture
        made of it."""
        ...


class ModelJudge:
    """The segmentation of a personal model: of the one that made the pictures, or of another one of its classes."""

    def __init__(self, synthesizer: Synthesizer, judging: Synthesizer) -> None:
        """Args: synthesizer: makes the pictures. judging: reads them."""
        self._model, self._judging = synthesizer.model, judging
        self._is_own = judging is synthesizer
        self.palette = synthesizer.palette
        self.name = "own" if self._is_own else judging.name
        self.words = OWN if self._is_own else _OTHER.format(name=judging.name)

    def compare(self, layout: np.ndarray, result: PictureResult) -> np.ndarray:
        model = self._model
        ids = np.array([*model.palette.class_ids, EMPTY], np.uint8)  # by channel; -1 (unknown) reads the last entry
        found = result.predicted_labels if self._is_own else None
        if found is None:  # the latents say everything: read them again
            request = PictureRequest(layout, Style(mix=0), _SIDE, composition=result.shown)
            found = self._judging.render(request).predicted_labels
        assert found is not None, "a full picture is labelled"
        target = layout_channels(layout, model.palette, model.label_kind, len(found)).numpy()
        return confusion_matrix(ids[target], found, self.palette)


class PixelJudge:
    """A network that reads the ten merged classes of faces off finished pictures."""

    name, words = "pixels", _PIXELS

    def __init__(self, reader: FaceReader, palette: Palette) -> None:
        """Args: palette: of the layouts. Raises UserError when its classes are not those of faces."""
        table = face_table(palette, self.name)
        self.palette = face_palette()
        own = merged_ids(read_palette())
        assert own is not None, "the model that ships is one of faces"
        self._reader, self._table, self._own = reader, table, own

    def compare(self, layout: np.ndarray, result: PictureResult) -> np.ndarray:
        seen = self._own[self._reader.read(result.picture)]
        asked = reduce_label_map(self._table[layout], len(seen))
        return confusion_matrix(asked, seen, self.palette)


def face_table(palette: Palette, judge: str) -> np.ndarray:
    """Return `merged_ids`. Raises UserError, naming the judge, when the classes are not those of faces."""
    table = merged_ids(palette)
    if table is None:
        raise UserError(
            f"The judge `{judge}` knows faces alone, in the classes of the model that ships or of CelebAMask-HQ; "
            "choose another judge for this model."
        )
    return table


def fidelity(matrix: np.ndarray, palette: Palette) -> dict[str, Any]:
    """Return `pixel_accuracy`, `mean_iou` and `classes` (id, name, iou, cells) of a confusion matrix, for JSON."""
    classes = [
        {"id": c.class_id, "name": c.name, "iou": rounded(iou), "cells": int(row.sum())}
        for c, iou, row in zip(palette.classes, class_iou(matrix), matrix, strict=True)
    ]
    return {
        "pixel_accuracy": rounded(pixel_accuracy(matrix)),
        "mean_iou": rounded(mean_iou(matrix)),
        "classes": classes,
    }


def merged_fidelity(matrix: np.ndarray, palette: Palette) -> dict[str, Any] | None:
    """Return the same in the ten merged classes of faces; None where the palette has others, or no more than ten."""
    table = merged_ids(palette)
    if table is None or palette.num_classes <= len(FACE_CLASSES):
        return None
    channels = [*(int(table[c.class_id]) for c in palette.classes), len(FACE_CLASSES)]
    merged = np.zeros((len(FACE_CLASSES) + 1, len(FACE_CLASSES) + 1), np.int64)
    np.add.at(merged, (np.array(channels[:-1])[:, None], np.array(channels)[None]), matrix)
    return fidelity(merged[:-1], face_palette())


class LandmarkJudge:
    """Compares the outlines of eyes, brows and mouths with the layout's."""

    def __init__(self, landmarks: FaceLandmarks, palette: Palette) -> None:
        """Args: palette: of the layouts. Raises UserError when its classes are not those of faces."""
        self._landmarks, self._table = landmarks, face_table(palette, "landmarks")

    def compare(self, layout: np.ndarray, picture: np.ndarray) -> dict[str, dict[str, float] | None]:
        """Return figures as `compare_parts` does."""
        return compare_parts(self._landmarks.find(picture), self._table[layout])


def landmark_means(rows: Sequence[dict[str, dict[str, float] | None]]) -> dict[str, dict[str, float | None]]:
    """Return the means of `LandmarkJudge.compare` over pictures, for JSON; a part that no layout has is left out."""
    means: dict[str, dict[str, float | None]] = {}
    for part in PARTS:
        figures = [row[part] for row in rows if row[part] is not None]
        if figures:
            values = {key: np.array([f[key] for f in figures if f is not None]) for key in ("iou", "offset", "area")}
            means[part] = {
                key: rounded(float(np.nanmean(v))) if np.isfinite(v).any() else None for key, v in values.items()
            }
    return means
