"""Refinement: a few gradient steps on `ws`, so that the picture's own features are labelled as the layout asks.

Moving all slots freely obeys the layout and washes the picture out (docs/measurements.md). So one `w` shared by the
slots up to the feature resolution moves, along the widest principal axes of real latents only, in units of their
standard deviation, with a penalty on its distance from the mean; style slots are left alone.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.fewshot.pseudo_labels import UNKNOWN
from smis_desktop.fewshot.transfer import LabelTransfer
from smis_desktop.gan.precision import Precision, computing
from smis_desktop.gan.protocol import Generator

_AXES = 128
_LEARNING_RATE = 0.1
_PRIOR = 0.05


def refine(
    generator: Generator,
    transfer: LabelTransfer,
    ws: Tensor,
    layout: Tensor,
    steps: int,
    precision: Precision = "float32",
) -> Tensor:
    """Refines `ws` [1, num_ws, 512] towards `layout` (int64 [1, r, r] in channels, UNKNOWN is ignored).

    Returns the `ws` of lowest loss, the starting one included, so that it never gets worse by its own score.
    """
    if steps == 0 or not bool((layout != UNKNOWN).any()):
        return ws
    structural = generator.fine_slots.start
    latents = generator.latents
    start = ws[:, :structural].mean(1)
    apart = ws[:, :structural] - start[:, None]  # what styles mixed into single groups have moved them by
    origin = latents.whiten(start)[:, :_AXES]
    rest = start - latents.color(origin)
    coordinates = origin.clone().requires_grad_()
    adam = torch.optim.Adam([coordinates], lr=_LEARNING_RATE, betas=(0.9, 0.99))
    best_loss, best = torch.inf, ws
    with torch.enable_grad():
        for step in range(steps + 1):
            w = latents.color(coordinates) + rest
            moved = torch.cat((w[:, None] + apart, ws[:, structural:]), 1)
            with computing(precision, ws.device):
                features = transfer.read(generator, moved)
            scores = transfer.scores({side: found.float() for side, found in features.items()})
            loss = F.cross_entropy(scores, layout, ignore_index=UNKNOWN) + _PRIOR * coordinates.square().mean()
            if loss.item() < best_loss:
                best_loss, best = loss.item(), moved.detach()
            if step < steps:
                adam.zero_grad()
                loss.backward()
                adam.step()
    return best
