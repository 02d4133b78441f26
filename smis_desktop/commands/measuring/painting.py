"""From a pointer event to coloured pixels, without a window: recorded strokes → workbench → composite → colours."""

from __future__ import annotations

import time

import numpy as np

from smis_desktop.labels.brush import Brush
from smis_desktop.labels.document import Document
from smis_desktop.labels.palette import Palette
from smis_desktop.labels.workbench import Workbench

SIDE = 1024
DIAMETER = 40
_EVENTS = 60
_REACH = 30
"""How far a quick hand moves between two events, in pixels (standard deviation)."""


def stroke_milliseconds(palette: Palette, strokes: int) -> list[float]:
    """The time of every pointer event of `strokes` random strokes on a document of 1024²: the brush, the changed
    pixels, and their colours in the picture that a canvas would show."""
    draws = np.random.default_rng(0)
    workbench = Workbench(Document.blank(palette, SIDE))
    colors = palette.color_table
    label_map = workbench.document.label_map
    composite = colors[label_map]
    taken = []
    for number in range(strokes):
        class_id = palette.class_ids[number % palette.num_classes]
        steps = draws.normal(0, _REACH, (_EVENTS, 2))
        points = np.clip(draws.uniform(0, SIDE, 2) + steps.cumsum(0), 0, SIDE - 1)
        for k, (x, y) in enumerate(points.tolist()):
            started = time.perf_counter()
            if k == 0:
                change = workbench.begin_stroke(Brush(DIAMETER), class_id, (x, y))
            else:
                change = workbench.extend_stroke((x, y))
            if change is not None and change.rect is not None:
                composite[change.rect.slices] = colors[label_map[change.rect.slices]]
            taken.append(1000 * (time.perf_counter() - started))
        workbench.end_stroke()
    return taken
