"""What a personal model sees in a picture whose latents are known, at any size."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.fewshot.personal_model import PersonalModel
from smis_desktop.fewshot.pseudo_labels import UNKNOWN
from smis_desktop.fewshot.scribbles import ScribbleTransfer
from smis_desktop.gan.protocol import Generator
from smis_desktop.labels.index_png import EMPTY

_MAX_SCORE_SIDE = 1024


def segment_latents(generator: Generator, model: PersonalModel, ws: Tensor, size: int) -> np.ndarray:
    """The label map of the picture of `ws` [num_ws, 512]: class ids, uint8 [size, size].

    With a probe the class scores are enlarged and then compared, so that outlines are smooth. Models of dense labels
    give every pixel a class, those of scribbles every pixel that is alike enough. Those of landmarks turn each labelled
    cell of the feature map into a square. All else is 0 = unknown, as in the labels that they learn from.
    """
    transfer = model.transfer
    with torch.inference_mode():
        features = transfer.read(generator, ws[None].to(generator.device))
        if model.label_kind == "sparse" and transfer.kind == "vectors":
            channels = transfer.label(features)
        else:
            # Only classes that some shot held have scores at all; -inf cannot be interpolated.
            learned = model.vectors.channels.unique()
            side = min(size, _MAX_SCORE_SIDE)
            scores = F.interpolate(transfer.scores(features)[:, learned], size=(side, side), mode="bilinear")
            channels = learned[scores.argmax(1)]
            if isinstance(transfer, ScribbleTransfer):
                likeness = F.interpolate(transfer.likeness(features)[:, None], size=(side, side), mode="bilinear")
                channels = channels.where(likeness[:, 0] > transfer.vectors.threshold, UNKNOWN)
        channels = F.interpolate(channels[:, None].float(), size=(size, size), mode="nearest-exact").long()[0, 0]
    nothing = 0 if model.label_kind == "sparse" else EMPTY
    ids = np.array([*model.palette.class_ids, nothing], np.uint8)
    label_map: np.ndarray = ids[channels.cpu().numpy()]  # channel -1 (unknown) reads the last entry
    return label_map
