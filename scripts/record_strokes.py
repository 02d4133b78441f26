"""Makes the recordings of painting in `resources/recordings/`: plausible strokes, drawn from a fixed seed.

The recordings are fixtures: once written they are kept, and their SHA-256 pins what painting does to the last pixel.
Run again only when painting is meant to change; say so in the commit.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import msgspec
import numpy as np

from smis_desktop.document.recording import (
    BucketStep,
    LayerStep,
    LineStep,
    MirrorStep,
    PreserveStep,
    Recording,
    ShapeStep,
    Step,
    StrokeStep,
    UndoStep,
    replay,
)

FOLDER = Path(__file__).parent.parent / "resources" / "recordings"


def pen_path(draws: np.random.Generator, size: int, points: int, speed: float) -> list[tuple[float, float, float]]:
    """Return the path of a pen: direction and speed drift, pressure rises and falls, and it turns back at the edges."""
    x, y = draws.uniform(0.2, 0.8, 2) * size
    heading, pace = draws.uniform(0, 2 * math.pi), speed
    way = []
    for i in range(points):
        heading += draws.normal(0, 0.25)
        pace = max(0.5, 0.9 * pace + 0.1 * speed * draws.lognormal(0, 0.6))
        x, y = x + pace * math.cos(heading), y + pace * math.sin(heading)
        if not (0 < x < size and 0 < y < size):
            heading += math.pi / 2
        pressure = 0.25 + 0.75 * math.sin(math.pi * (i + 1) / (points + 1))
        way.append((round(float(x), 2), round(float(y), 2), round(pressure, 3)))
    return way


def strokes(
    draws: np.random.Generator, size: int, count: int, *, diameter: float = 24, speed: float = 12, points: int = 40,
    pressed: bool = False, stabilizer: float = 0.0, square: bool = False,
) -> list[Step]:  # fmt: skip
    """Return strokes in changing classes."""
    made: list[Step] = []
    for i in range(count):
        way = pen_path(draws, size, points, speed)
        if not pressed:
            way = [(x, y, 1.0) for x, y, _ in way]
        made.append(StrokeStep(i % 5, diameter, way, "square" if square else "round", stabilizer))
    return made


def recordings() -> list[Recording]:
    """Return all recordings, without their digests."""

    def draws(number: int) -> np.random.Generator:
        return np.random.default_rng([2026, number])

    box: list[Step] = [
        ShapeStep("rectangle", 1, [(40.5, 40.5), (200.2, 180.7)]),
        ShapeStep("ellipse", 2, [(120, 90), (480, 400)]),
        ShapeStep("polygon", 3, [(300, 60), (490, 130), (410, 300), (350, 180), (250, 250)]),
        LineStep(4, 9, (20, 500), (500, 20)),
        BucketStep(0, (5, 5)),
        BucketStep(2, (310, 200), contiguous=False),
    ]
    around = np.linspace(0.08, 6.2, 60).tolist()
    ring: list[Step] = [
        StrokeStep(1, 8, [(256 + 150 * math.cos(a), 256 + 150 * math.sin(a), 1.0) for a in around]),
        BucketStep(2, (256, 256), gap=20),
        BucketStep(3, (5, 5), all_layers=True, gap=20),
    ]
    layered: list[Step] = [
        *strokes(draws(5), 512, 4, diameter=60),
        LayerStep("add"),
        *strokes(draws(6), 512, 4, diameter=30),
        LayerStep("move", (37, -21)),
        LayerStep("duplicate"),
        LayerStep("flip"),
        PreserveStep([2, 255]),
        *strokes(draws(7), 512, 3, diameter=90),
        StrokeStep(255, 50, [(100, 100, 1.0), (400, 420, 1.0)]),
        LayerStep("merge_down"),
        UndoStep(2),
        LayerStep("hide"),
    ]
    mirrored = [MirrorStep(256), *strokes(draws(8), 512, 6), MirrorStep(200.5), *strokes(draws(9), 512, 3)]
    painting = strokes(draws(10), 1024, 30, diameter=40, speed=22, points=80, pressed=True)
    return [
        Recording("brush", 512, 5, strokes(draws(1), 512, 8)),
        Recording("pressure", 512, 5, strokes(draws(2), 512, 8, diameter=64, pressed=True)),
        Recording("fast-curves", 1024, 5, strokes(draws(3), 1024, 12, diameter=18, speed=60)),
        Recording("stabilised-square", 512, 5, strokes(draws(4), 512, 6, stabilizer=0.7, square=True)),
        Recording("mirror", 512, 5, mirrored),
        Recording("shapes", 512, 5, box),
        Recording("closing-gaps", 512, 4, ring),
        Recording("layers", 512, 5, layered),
        Recording("painting-1024", 1024, 5, painting),
    ]  # fmt: skip


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for recording in recordings():
        editor = recording.new_editor()
        for _ in replay(recording, editor):
            pass
        digest = hashlib.sha256(editor.document.label_map.tobytes()).hexdigest()
        encoded = msgspec.json.encode(msgspec.structs.replace(recording, sha256=digest))
        (FOLDER / f"{recording.name}.json").write_bytes(encoded + b"\n")
        print(recording.name, digest[:12])


if __name__ == "__main__":
    main()
