"""Finds outlines of faces for scripts/fit_face_parts.py: `python outline_faces.py FOLDER OUT.npz`, a minute a thousand
pictures.

It needs mediapipe 0.10.14 (Apache-2.0: its face mesh and its person segmentation) and nothing of this project, so it
runs in an environment of its own: mediapipe asks for other versions than the program does.

FOLDER: PNGs, one face each, as `python scripts/fit_face_parts.py --pictures FOLDER` writes them. OUT.npz holds, for the
pictures in the order of their names: `names`; `points`, uint16 [N, 478, 2], the mesh's points, 65535 = the picture's
side; `person`, uint8 [N, 64, 64], how surely each cell shows a person, in steps of 17 of 255.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import mediapipe
import numpy as np

SIDE = 64


def main() -> None:
    """Write OUT.npz."""
    paths = sorted(Path(sys.argv[1]).glob("*.png"))
    mesh = mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, refine_landmarks=True, min_detection_confidence=0.3
    )
    segmentation = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)
    points, person = [], []
    for path in paths:
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        found = mesh.process(picture).multi_face_landmarks
        if not found:
            raise SystemExit(f"{path}: no face found; leave that picture out")
        places = np.array([(point.x, point.y) for point in found[0].landmark])
        points.append((places.clip(0, 1) * 65535).round().astype(np.uint16))
        mask = cv2.resize(segmentation.process(picture).segmentation_mask, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        person.append((mask.clip(0, 1) * 15).round().astype(np.uint8) * 17)
    names = np.array([path.stem for path in paths])
    np.savez_compressed(sys.argv[2], names=names, points=np.stack(points), person=np.stack(person))


if __name__ == "__main__":
    main()
