"""Recorded painting: every event of a session, for an exact replay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from smis_desktop.document.brush import Brush, BrushShape, MirrorAxis
from smis_desktop.document.document import Document
from smis_desktop.document.editor import DocumentEditor
from smis_desktop.document.history import Change
from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.errors import UserError

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
    """A filled shape. points: two corners, or those of a polygon."""

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
    """A bucket fill."""

    class_id: int
    point: XY
    contiguous: bool = True
    all_layers: bool = False
    gap: int = 0


class LayerStep(msgspec.Struct, tag="layer", frozen=True):
    """An operation on the active layer; `by` is the offset of a `move`."""

    action: Literal["add", "duplicate", "merge_down", "move", "flip", "hide", "show"]
    by: tuple[int, int] = (0, 0)


class MirrorStep(msgspec.Struct, tag="mirror", frozen=True):
    """Switches mirror painting on, about a vertical axis at x, or off."""

    position: float | None = None


class PreserveStep(msgspec.Struct, tag="preserve", frozen=True):
    """Sets the classes that are not painted over."""

    class_ids: list[int]


class UndoStep(msgspec.Struct, tag="undo", frozen=True):
    """Undoes a number of steps."""

    count: int = 1


Step = StrokeStep | ShapeStep | LineStep | BucketStep | LayerStep | MirrorStep | PreserveStep | UndoStep


class Recording(msgspec.Struct, frozen=True):
    """A recorded session on a blank document of that many pixels and classes (ids 0 …).

    sha256: of the composite at the end, in hex.
    """

    name: str
    size: int
    num_classes: int
    steps: list[Step]
    sha256: str = ""

    def new_editor(self) -> DocumentEditor:
        """Make an editor of the blank document that the recording begins with."""
        classes = tuple(
            SemanticClass(i, f"class {i}", (i * 40 % 256, i * 90 % 256, 128)) for i in range(self.num_classes)
        )
        return DocumentEditor(Document.blank(Palette(classes), self.size))


def read_recording(path: Path) -> Recording:
    """Read a recording. Raises UserError when the file is missing or is not a recording."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Recording)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no recording of painting ({error}); record it again.") from error


def replay(recording: Recording, editor: DocumentEditor) -> Iterator[Change | None]:
    """Replay every step; yield the change after each event (in a stroke, after each of its points)."""
    for step in recording.steps:
        if isinstance(step, StrokeStep):
            yield from _stroke(step, editor)
        elif isinstance(step, UndoStep):
            for _ in range(step.count):
                yield editor.undo()
        else:
            yield _other(step, editor)


def _stroke(step: StrokeStep, editor: DocumentEditor) -> Iterator[Change | None]:
    (x, y, pressure), *rest = step.points
    brush = Brush(step.diameter, step.shape)
    yield editor.begin_stroke(brush, step.class_id, (x, y), pressure, step.stabilizer)
    for x, y, pressure in rest:
        yield editor.extend_stroke((x, y), pressure)
    yield editor.end_stroke()


def _other(
    step: ShapeStep | LineStep | BucketStep | LayerStep | MirrorStep | PreserveStep, editor: DocumentEditor
) -> Change | None:
    if isinstance(step, ShapeStep):
        if step.shape == "polygon":
            return editor.fill_polygon(step.points, step.class_id)
        fill = editor.fill_rectangle if step.shape == "rectangle" else editor.fill_ellipse
        return fill(step.points[0], step.points[1], step.class_id)
    if isinstance(step, LineStep):
        return editor.draw_line(Brush(step.diameter), step.class_id, step.start, step.end)
    if isinstance(step, BucketStep):
        return editor.bucket(step.point, step.class_id, step.contiguous, step.all_layers, step.gap)
    if isinstance(step, LayerStep):
        return _layer(step, editor)
    if isinstance(step, MirrorStep):
        editor.mirror = None if step.position is None else MirrorAxis("vertical", step.position)
    else:
        editor.preserved = frozenset(step.class_ids)
    return None


def _layer(step: LayerStep, editor: DocumentEditor) -> Change | None:
    active = editor.active_id
    if step.action == "add":
        return editor.add_layer()
    if step.action == "duplicate":
        return editor.duplicate_layer(active)
    if step.action == "merge_down":
        return editor.merge_down(active)
    if step.action == "move":
        return editor.shift_layer(active, *step.by)
    if step.action == "flip":
        return editor.flip_layer(active)
    return editor.set_visible(active, step.action == "show")
