"""A renderer for tests of repainting: how bright a picture is comes from its base, how a region is tinted from its
patch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from smis_desktop.document.composition import Composition, Patch
from smis_desktop.document.style import Look
from smis_desktop.inference.synthesizer import PictureRequest, PictureResult
from tests.workers.paint_by_palette import PaintByPalette


@dataclass(frozen=True)
class PaintByComposition(PaintByPalette):
    """A picture that is made anew as a whole is another one everywhere; patches, their looks and locks are shown."""

    def render(self, request: PictureRequest) -> PictureResult:
        made = super().render(request)
        composition, repaint = made.composition, request.repaint
        if request.composition is not None and request.refine_steps:
            composition = _refined(request.composition, request.refine_steps)
        if request.composition is None and repaint is not None and repaint.mask is not None:
            composition = repaint.beneath.with_patch(Patch(repaint.beneath.base[:9], repaint.mask, repaint.look))
        elif request.composition is None and repaint is not None and composition.patches:
            *below, top = composition.patches
            composition = replace(composition, patches=(*below, replace(top, look=repaint.look)))
        if request.lock is not None:
            composition = replace(composition, held=request.lock.held_in(request.layout))
        picture = _shown(made.picture.astype(np.float32), composition)
        if composition.held is not None:
            lock = composition.held.lock
            own = super().render(replace(request, style=lock.style, repaint=None, composition=None, lock=None))
            was = _shown(own.picture.astype(np.float32), lock.composition)
            picture = _blended(picture, was, composition.held.mask)
        return replace(made, picture=picture.clip(0, 255).astype(np.uint8), composition=composition, shown=composition)


def _refined(composition: Composition, steps: int) -> Composition:
    if not composition.patches:
        return replace(composition, base=composition.base + np.float32(0.001 * steps))
    *below, top = composition.patches
    return replace(composition, patches=(*below, replace(top, ws=top.ws + np.float32(0.01 * steps))))


def _shown(picture: np.ndarray, composition: Composition) -> np.ndarray:
    picture = picture * np.random.default_rng([*composition.base.tobytes()[:4]]).uniform(0.4, 1.0)
    for patch in composition.patches:
        tint = np.float32(1) if patch.look is None else _tint(patch.look)
        picture = _blended(picture, picture * tint * (0.5 + patch.ws.mean() % 0.5), patch.mask)
    return picture


def _blended(below: np.ndarray, above: np.ndarray, mask: np.ndarray) -> np.ndarray:
    part = cv2.resize(mask, below.shape[1::-1], interpolation=cv2.INTER_LINEAR)[..., None] / np.float32(255)
    mixed: np.ndarray = below + part * (above - below)
    return mixed


def _tint(look: Look) -> np.ndarray:
    return np.random.default_rng(look.seed).uniform(0.3, 0.8, 3).astype(np.float32)
