"""Recorded painting: what a hand did, event by event, so that it can be done again to the last pixel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from smis_desktop.errors import UserError
from smis_desktop.labels.brush import Brush, BrushShape
from smis_desktop.labels.document import Document
from smis_desktop.labels.edits import Change
from smis_desktop.labels.mirror import MirrorAxis
from smis_desktop.labels.palette import Palette, SemanticClass
from smis_desktop.labels.workbench import Workbench

XY = tuple[float, float]


class StrokeStep(msgspec.Struct, tag="stroke", frozen=True):
    """A brush stroke. points: (x, y, pressure) each; interval: milliseconds between two of them."""

    class_id: int
    diameter: float
    points: list[tuple[float, float, float]]
    shape: BrushShape = "round"
    stabilizer: float = 0.0
    interval: float = 8.0


class ShapeStep(msgspec.Struct, tag="shape", frozen=True):
    """A filled shape: two corners, or a polygon's."""

    shape: Literal["rectangle", "ellipse", "polygon"]
    class_id: int
    points: list[XY]


class LineStep(msgspec.Struct, tag="line", frozen=True):
    """A straight line."""

    class_id: int
    diameter: float
    start: XY
    end: XY


class BucketStep(msgspec.Struct, tag="bucket", frozen=True):
    """A bucket's fill."""

    class_id: int
    point: XY
    contiguous: bool = True
    all_layers: bool = False
    gap: int = 0


class LayerStep(msgspec.Struct, tag="layer", frozen=True):
    """Something done to the active layer; `by` for `move`."""

    action: Literal["add", "duplicate", "merge_down", "move", "flip", "hide", "show"]
    by: tuple[int, int] = (0, 0)


class MirrorStep(msgspec.Struct, tag="mirror", frozen=True):
    """Mirror painting on, about an upright axis at x, or off."""

    position: float | None = None


class PreserveStep(msgspec.Struct, tag="preserve", frozen=True):
    """Which classes nothing is painted over."""

    class_ids: list[int]


class UndoStep(msgspec.Struct, tag="undo", frozen=True):
    """Undo so many steps."""

    count: int = 1


Step = StrokeStep | ShapeStep | LineStep | BucketStep | LayerStep | MirrorStep | PreserveStep | UndoStep


class Recording(msgspec.Struct, frozen=True):
    """A blank document's size and number of classes (ids 0 …), what was done to it, and the SHA-256 (hex) of the
    composite that came of it."""

    name: str
    size: int
    num_classes: int
    steps: list[Step]
    sha256: str = ""

    def new_workbench(self) -> Workbench:
        """The blank document that it begins with."""
        classes = tuple(
            SemanticClass(i, f"class {i}", (i * 40 % 256, i * 90 % 256, 128)) for i in range(self.num_classes)
        )
        return Workbench(Document.blank(Palette(classes), self.size))


def read_recording(path: Path) -> Recording:
    """Raises UserError when the file is missing or is no recording."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Recording)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no recording of painting ({error}); record it again.") from error


def replay(recording: Recording, workbench: Workbench) -> Iterator[Change | None]:
    """Does every step, and tells after each event (of a stroke: each of its points) what changed."""
    for step in recording.steps:
        if isinstance(step, StrokeStep):
            yield from _stroke(step, workbench)
        elif isinstance(step, UndoStep):
            for _ in range(step.count):
                yield workbench.undo()
        else:
            yield _other(step, workbench)


def _stroke(step: StrokeStep, workbench: Workbench) -> Iterator[Change | None]:
    (x, y, pressure), *rest = step.points
    brush = Brush(step.diameter, step.shape)
    yield workbench.begin_stroke(brush, step.class_id, (x, y), pressure, step.stabilizer)
    for x, y, pressure in rest:
        yield workbench.extend_stroke((x, y), pressure)
    yield workbench.end_stroke()


def _other(
    step: ShapeStep | LineStep | BucketStep | LayerStep | MirrorStep | PreserveStep, workbench: Workbench
) -> Change | None:
    if isinstance(step, ShapeStep):
        if step.shape == "polygon":
            return workbench.fill_polygon(step.points, step.class_id)
        fill = workbench.fill_rectangle if step.shape == "rectangle" else workbench.fill_ellipse
        return fill(step.points[0], step.points[1], step.class_id)
    if isinstance(step, LineStep):
        return workbench.draw_line(Brush(step.diameter), step.class_id, step.start, step.end)
    if isinstance(step, BucketStep):
        return workbench.bucket(step.point, step.class_id, step.contiguous, step.all_layers, step.gap)
    if isinstance(step, LayerStep):
        return _layer(step, workbench)
    if isinstance(step, MirrorStep):
        workbench.mirror = None if step.position is None else MirrorAxis("vertical", step.position)
    else:
        workbench.preserved = frozenset(step.class_ids)
    return None


def _layer(step: LayerStep, workbench: Workbench) -> Change | None:
    active = workbench.active_id
    if step.action == "add":
        return workbench.add_layer()
    if step.action == "duplicate":
        return workbench.duplicate_layer(active)
    if step.action == "merge_down":
        return workbench.merge_down(active)
    if step.action == "move":
        return workbench.shift_layer(active, *step.by)
    if step.action == "flip":
        return workbench.flip_layer(active)
    return workbench.set_visible(active, step.action == "show")
