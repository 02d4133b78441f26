"""Measures how local edits are: what changes outside the edge, and whether the picture shows what was painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

import numpy as np

from smis_desktop.document.composition import Repaint, repainted_region
from smis_desktop.document.locality import changed_class_iou, picture_change
from smis_desktop.document.palette import Palette
from smis_desktop.document.style import Anchor, Style
from smis_desktop.evaluation.local_edits import Edit
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult, Synthesizer
from smis_desktop.storage.wheel_download import Progress

SIDE = 1024
"""Side of the pictures."""
KEPT_OF_REFINEMENT = 0.7
"""How much of what refinement had gained a picture as a whole started with in version 0.2.0."""
READINGS = ("model", "second")


@dataclass(frozen=True)
class Way:
    """A way to make the picture of an edited layout.

    is_local: whether only the patch is repainted. refine_steps: of refinement.
    """

    name: str
    is_local: bool
    refine_steps: int


def ways(steps: int) -> tuple[Way, ...]:
    """Return the ways that are compared: as a whole, as version 0.2.0 did, and as a patch without and with
    refinement."""
    return Way("whole", False, steps), Way("patch", True, 0), Way("refined", True, steps)


class EditRenderer:
    """Makes pictures of edits. The picture before an edit is refined too."""

    def __init__(self, synthesizer: Synthesizer, steps: int, style: Style | None = None) -> None:
        """Args: style: by default that of a new user."""
        self._synthesizer, self._steps, self._style = synthesizer, steps, style or Style()
        self._known: tuple[bytes, PictureResult] | None = None

    @property
    def palette(self) -> Palette:
        """The classes of the model."""
        return self._synthesizer.palette

    def before(self, layout: np.ndarray) -> PictureResult:
        """Return the picture of a layout; that of the last one is kept."""
        key = layout.tobytes()
        if self._known is None or self._known[0] != key:
            request = PictureRequest(layout, self._style, SIDE, refine_steps=self._steps)
            self._known = key, self._synthesizer.render(request)
        return self._known[1]

    def after(self, way: Way, before: PictureResult, layouts: tuple[np.ndarray, np.ndarray]) -> PictureResult:
        """Return the picture of the second of two layouts, `before` being that of the first."""
        old, new = layouts
        request = PictureRequest(new, self._style, SIDE, refine_steps=way.refine_steps)
        if way.is_local:
            request = replace(request, repaint=Repaint(before.composition, old))
        else:
            anchor = Anchor(old, before.composition.base, weight=KEPT_OF_REFINEMENT, keeps_style=False)
            request = replace(request, anchor=anchor)
        return self._synthesizer.render(request)


def measure(
    edits: Sequence[Edit], renderer: EditRenderer, compared: Sequence[Way],
    second: Callable[[np.ndarray], np.ndarray], progress: Progress,
) -> list[dict[str, Any]]:  # fmt: skip
    """Measure each edit in each way.

    Args:
        second: reads a picture, uint8 [S, S, 3], as class ids, uint8 [r, r].

    Returns:
        For each edit `name`, `kind`, `face`, `region` (part of the picture that the mask reaches), and for each way
        by its name `outside_mean`, `outside_p99`, and for each reading `iou` (mean over the changed classes) and
        `classes` (by id). `before` holds the same readings of the picture before, in the same place against its own
        layout: more than that can hardly be read.
    """

    def read(result: PictureResult, old: np.ndarray, new: np.ndarray) -> dict[str, Any]:
        assert result.predicted_labels is not None, "a full picture is labelled"
        seen = dict(zip(READINGS, (result.predicted_labels, second(result.picture)), strict=True))
        found = {reading: changed_class_iou(old, new, labels, renderer.palette) for reading, labels in seen.items()}
        return {reading: {"iou": fmean(of.values()), "classes": of} for reading, of in found.items()}

    rows = []
    for number, edit in enumerate(edits):
        progress("Painting edits", number / len(edits))
        before = renderer.before(edit.before)
        mask = repainted_region(edit.before, edit.after)
        row: dict[str, Any] = {
            "name": edit.name, "kind": edit.kind, "face": edit.face, "region": float((mask > 0).mean()),
            "before": read(before, edit.after, edit.before),
        }  # fmt: skip
        for way in compared:
            after = renderer.after(way, before, (edit.before, edit.after))
            change = picture_change(before.picture, after.picture, mask)
            row[way.name] = {
                "outside_mean": change.outside or 0.0,
                "outside_p99": change.outside_p99 or 0.0,
                **read(after, edit.before, edit.after),
            }
        rows.append(row)
    progress("Painting edits", 1.0)
    return rows


def averages(rows: Sequence[dict[str, Any]], compared: Sequence[Way]) -> dict[str, dict[str, float]]:
    """Return the means over all edits for `before` and each way: of every reading, of all and of thin ones."""

    def mean(name: str, *keys: str, kind: str | None = None) -> float:
        values = []
        for row in rows:
            value = row[name]
            for key in keys:
                value = value[key]
            if kind is None or row["kind"] == kind:
                values.append(value)
        return fmean(values) if values else float("nan")

    found = {}
    for name in ("before", *(way.name for way in compared)):
        found[name] = {f"{reading}_iou": mean(name, reading, "iou") for reading in READINGS}
        found[name] |= {f"{reading}_iou_thin": mean(name, reading, "iou", kind="thin") for reading in READINGS}
        if name != "before":
            found[name] |= {key: mean(name, key) for key in ("outside_mean", "outside_p99")}
    return found
