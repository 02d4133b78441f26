"""A personal model: all that is needed, besides the generator, to paint in somebody's own classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import EMPTY, UNKNOWN_CHANNEL, LabelKind, Palette
from smis_desktop.document.reduction import reduce_label_map, reduce_points
from smis_desktop.errors import UserError
from smis_desktop.generators.protocol import Generator
from smis_desktop.personal_model.encoder import LayoutEncoder
from smis_desktop.personal_model.label_transfer import LabelTransfer
from smis_desktop.personal_model.probe import LinearProbe
from smis_desktop.personal_model.representative_vectors import RepresentativeVectors
from smis_desktop.personal_model.scribbles import ScribbleTransfer


@dataclass(frozen=True, eq=False)
class PersonalModel:
    """What was learned from the shots. `settings` (JSON-able) says how, for the record.

    `directions` float32 [k, D]: along which the classes move (see `label_directions`); `feature_colors` float32
    [Z + 1, 3]: how to read colours in label features (see `learn_feature_colors`). None in older models.
    """

    name: str
    generator_name: str
    generator_sha256: str
    palette: Palette
    label_kind: LabelKind
    vectors: RepresentativeVectors
    probe: LinearProbe | None
    encoder: LayoutEncoder
    settings: dict[str, Any] = field(default_factory=dict)
    directions: Tensor | None = None
    feature_colors: Tensor | None = None

    @property
    def transfer(self) -> LabelTransfer:
        """The label transfer that the encoder was trained on: the probe where there is one, for scribbles together with
        the vectors, else the vectors alone."""
        if self.probe is None:
            return self.vectors
        return ScribbleTransfer(self.probe, self.vectors) if self.label_kind == "sparse" else self.probe

    def require(self, generator: Generator) -> None:
        """Raises UserError when the model was trained on other weights than `generator`'s."""
        if generator.weights_sha256 != self.generator_sha256:
            raise UserError(
                f"The model {self.name!r} was trained on another generator than the installed {generator.name!r} "
                f"(weights {self.generator_sha256[:12]}… against {generator.weights_sha256[:12]}…); "
                f"install the generator {self.generator_name!r} that it came with."
            )


def layout_channels(layout: np.ndarray, palette: Palette, label_kind: LabelKind, resolution: int) -> Tensor:
    """A label map of class ids uint8 [H, H] as the networks see it: int64 [resolution, resolution] in palette channels,
    UNKNOWN_CHANNEL where nothing, or nothing that the palette knows, is painted.

    Dense maps keep every class's area (`labels.reduce.reduce_label_map`), sparse ones every marked cell.
    """
    known = np.where(palette.channel_of[layout] >= 0, layout, 255).astype(np.uint8)
    if label_kind == "sparse":
        reduced = reduce_points(known, resolution, unknown=255)
    else:
        reduced = reduce_label_map(known, resolution)
    channels = torch.from_numpy(palette.channel_of[reduced].astype(np.int64))
    assert int(channels.min()) >= UNKNOWN_CHANNEL
    return channels


def unknown_ids(layout: np.ndarray, palette: Palette, label_kind: LabelKind) -> list[int]:
    """The ids in a layout that the palette does not know (255 is "empty", and 0 too where labels are sparse)."""
    empty = {255, 0} if label_kind == "sparse" else {255}
    return sorted(int(i) for i in np.unique(layout) if palette.channel_of[i] < 0 and int(i) not in empty)


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
                channels = channels.where(likeness[:, 0] > transfer.vectors.threshold, UNKNOWN_CHANNEL)
        channels = F.interpolate(channels[:, None].float(), size=(size, size), mode="nearest-exact").long()[0, 0]
    nothing = 0 if model.label_kind == "sparse" else EMPTY
    ids = np.array([*model.palette.class_ids, nothing], np.uint8)
    label_map: np.ndarray = ids[channels.cpu().numpy()]  # channel -1 (unknown) reads the last entry
    return label_map
