"""Make the label maps, and on request the pictures, of the hand-drawn shots in `resources/faces-shots/`.

    python scripts/rasterise_shots.py [--pictures] [FOLDER]

The drawings `shots/NAME.json` are the source: outlines in the coordinates of the 512² picture, painted in their order.
`example_layout.json` is drawn likewise and becomes `example_layout.png` beside FOLDER. The pictures `images/NAME.jpg`
are the generator's own, from the seeds in `generated.json`.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import cv2
import msgspec
import numpy as np
from PIL import Image, ImageDraw

from smis_desktop.document.palette import Palette
from smis_desktop.formats.image_file import encode_label_map
from smis_desktop.formats.shots_folder import read_classes
from smis_desktop.storage.atomic import write_bytes
from smis_desktop.training.shots import read_generated_pictures

SIZE = 512
OVERSAMPLING = 4
CURVE_STEPS = 8
SEAM_AREA = 120
"""Islands of fewer pixels are gaps between outlines that ought to touch; the smallest drawn parts are larger."""


class Shape(msgspec.Struct):
    """One closed outline; `smooth` draws a curve through `points` [(x, y)] instead of straight edges."""

    class_name: str = msgspec.field(name="class")
    smooth: bool
    points: list[tuple[float, float]]


class Drawing(msgspec.Struct):
    shapes: list[Shape]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("resources/faces-shots"))
    parser.add_argument("--pictures", action="store_true", help="also run the generator and write images/")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    palette = Palette(tuple(read_classes(folder / "classes.json").values()))
    for subfolder in ("labels", "images"):
        (folder / subfolder).mkdir(exist_ok=True)
    targets = {path: folder / "labels" / f"{path.stem}.png" for path in sorted((folder / "shots").glob("*.json"))}
    targets[folder / "example_layout.json"] = folder.parent / "example_layout.png"
    for source, target in targets.items():
        drawing = msgspec.json.decode(source.read_bytes(), type=Drawing)
        write_bytes(target, encode_label_map(rasterise(drawing, palette), palette))
    if arguments.pictures:
        _write_pictures(folder)


def rasterise(drawing: Drawing, palette: Palette) -> np.ndarray:
    """Rasterise shapes to uint8 [512, 512] class ids. A shape owns the pixels that it covers at least half of; later
    shapes win."""
    ids = {c.name: c.class_id for c in palette.classes}
    label_map = np.full((SIZE, SIZE), ids["background"], np.uint8)
    side = SIZE * OVERSAMPLING
    for shape in drawing.shapes:
        outline = np.asarray(shape.points, np.float64)
        if shape.smooth:
            outline = closed_curve(outline)
        canvas = Image.new("L", (side, side))
        ImageDraw.Draw(canvas).polygon([(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in outline.tolist()], fill=1)
        covered = np.asarray(canvas).reshape(SIZE, OVERSAMPLING, SIZE, OVERSAMPLING).sum((1, 3))
        label_map[covered * 2 >= OVERSAMPLING**2] = ids[shape.class_name]
    return close_seams(label_map)


def close_seams(label_map: np.ndarray) -> np.ndarray:
    """Return uint8 [H, W] with every 4-connected island under SEAM_AREA pixels shared out among its neighbours."""
    seams = np.zeros(label_map.shape, bool)
    for class_id in np.unique(label_map):
        mask = (label_map == class_id).astype(np.uint8)
        _, islands, statistics, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        small = statistics[:, cv2.CC_STAT_AREA] < SEAM_AREA
        seams |= small[islands] & (mask == 1)
    _, nearest = cv2.distanceTransformWithLabels(
        seams.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    kept_labels = np.zeros(int(nearest.max()) + 1, np.uint8)
    kept_labels[nearest[~seams]] = label_map[~seams]
    closed: np.ndarray = kept_labels[nearest]
    return closed


def closed_curve(points: np.ndarray) -> np.ndarray:
    """Return the closed centripetal Catmull-Rom curve through float64 [N, 2], [N · CURVE_STEPS, 2], which has no loops
    or cusps."""
    count = len(points)
    curve = []
    for i in range(count):
        p0, p1, p2, p3 = (points[(i + offset) % count] for offset in (-1, 0, 1, 2))
        knots = [0.0]
        for start, end in ((p0, p1), (p1, p2), (p2, p3)):
            knots.append(knots[-1] + max(float(np.hypot(*(end - start))) ** 0.5, 1e-3))
        t0, t1, t2, t3 = knots
        for t in np.linspace(t1, t2, CURVE_STEPS, endpoint=False):
            a1 = _between(p0, p1, t0, t1, t)
            a2 = _between(p1, p2, t1, t2, t)
            a3 = _between(p2, p3, t2, t3, t)
            curve.append(_between(_between(a1, a2, t0, t2, t), _between(a2, a3, t1, t3, t), t1, t2, t))
    return np.array(curve)


def _between(a: np.ndarray, b: np.ndarray, start: float, end: float, t: float) -> np.ndarray:
    mixed: np.ndarray = ((end - t) * a + (t - start) * b) / (end - start)
    return mixed


def _write_pictures(folder: Path) -> None:
    import torch

    from smis_desktop.generators.generator import seeded_z
    from smis_desktop.generators.store import open_generator

    generated = read_generated_pictures(folder)
    if generated is None:
        raise SystemExit(f"{folder} has no generated.json to tell the seeds of its pictures.")
    generator = open_generator(generated.generator)
    if generator.weights_sha256 != generated.weights_sha256:
        raise SystemExit(f"{folder}/generated.json names other weights of {generated.generator} than are installed.")
    for entry in generated.pictures:
        with torch.inference_mode():
            w = generator.mapping(seeded_z(entry.seed, generator.w_dim), entry.truncation)
            picture = generator.synthesis(generator.broadcast(w))[0]
        rgb = ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
        small = Image.fromarray(rgb).resize((SIZE, SIZE), Image.Resampling.BOX)
        buffer = io.BytesIO()
        small.save(buffer, format="JPEG", quality=90)
        write_bytes(folder / "images" / f"{entry.name}.jpg", buffer.getvalue())


if __name__ == "__main__":
    main()
