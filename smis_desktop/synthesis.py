"""The one door from a layout to a picture: a frozen request in, a result out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.fewshot.personal_model import PersonalModel, layout_channels
from smis_desktop.fewshot.pseudo_labels import UNKNOWN, one_hot
from smis_desktop.fewshot.refinement import refine
from smis_desktop.fewshot.style_mixing import mix_styles
from smis_desktop.gan.latents import seeded_z
from smis_desktop.gan.pixels import to_rgb8
from smis_desktop.gan.protocol import Generator
from smis_desktop.labels.palette import Palette

Quality = Literal["draft", "full"]
DRAFT_SIZE = 256


@dataclass(frozen=True, eq=False)
class PictureRequest:
    """Everything that decides a picture, besides the generator and the personal model.

    layout: uint8 [H, H], class ids, read-only; ids that the model does not know count as "not said".
    style_seed: seed of the random `w` whose fine slots are mixed in.
    mix: 0–1, strength of that mixing (0 = the encoder's own style).
    size: side of the picture in pixels, at most the generator's `img_resolution`, which it divides.
    quality: "draft" is quick and approximate (256 only), "full" is the generator's own picture, downsampled.
    refine_steps: gradient steps on `ws` towards the layout (0 = the encoder alone).
    start_ws: float32 [num_ws, 512], read-only: whose structural slots to start from instead of the encoder's answer, to
        go on with an earlier refinement of the same layout.
    """

    layout: np.ndarray = field(repr=False)
    style_seed: int = 0
    mix: float = 1.0
    size: int = 256
    quality: Quality = "full"
    refine_steps: int = 0
    start_ws: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class PictureResult:
    """picture: uint8 [size, size, 3] sRGB; ws: float32 [num_ws, 512], the latents it was made from.

    seen: uint8 [r, r], the classes that the model sees in a full picture; 255 = unknown. None for drafts.
    """

    picture: np.ndarray = field(repr=False)
    ws: np.ndarray = field(repr=False)
    seconds: float = 0.0
    seen: np.ndarray | None = field(default=None, repr=False)


class Synthesizer:
    """A generator and a personal model that fits it. `render` is a pure function of its request."""

    def __init__(self, generator: Generator, model: PersonalModel) -> None:
        """Raises UserError when the model belongs to another generator."""
        model.require(generator)
        self.generator, self.model = generator, model
        self._device = generator.device

    @property
    def palette(self) -> Palette:
        """The model's classes."""
        return self.model.palette

    @property
    def device(self) -> str:
        """Where pictures are computed, in words."""
        if self._device.type == "cuda":
            return torch.cuda.get_device_name(self._device)
        return f"{self._device.type.upper()}, {torch.get_num_threads()} threads"

    def render(self, request: PictureRequest) -> PictureResult:
        """The picture of a layout."""
        started = time.perf_counter()
        with torch.inference_mode(request.refine_steps == 0):
            ws = self.latents(request)
            if request.quality == "draft":
                picture = to_rgb8(self.generator.draft(ws)[0])
            else:
                picture = render_ws(self.generator, ws, request.size)
        latents = ws[0].detach().cpu().numpy()
        seen = self.segment(latents) if request.quality == "full" else None
        return PictureResult(picture, latents, time.perf_counter() - started, seen)

    def latents(self, request: PictureRequest) -> Tensor:
        """`ws` [1, num_ws, 512] of a layout: encoder, refinement, style mixing."""
        model = self.model
        layout = layout_channels(request.layout, model.palette, model.label_kind, model.encoder.shape.resolution)
        layout = layout[None].to(self._device)
        with torch.no_grad():
            ws: Tensor = model.encoder(one_hot(layout, model.palette.num_classes))
            style = self.generator.mapping(seeded_z(request.style_seed, self.generator.w_dim).to(self._device))
        if request.start_ws is not None:
            structural = self.generator.fine_slots.start
            begun = torch.from_numpy(np.array(request.start_ws, np.float32)).to(self._device)
            ws = torch.cat((begun[None, :structural], ws[:, structural:]), 1)
        if request.refine_steps > 0:
            ws = refine(self.generator, model.transfer, ws, self._learned(layout), request.refine_steps)
        return mix_styles(self.generator, ws, style, request.mix)

    def segment(self, ws: np.ndarray) -> np.ndarray:
        """What the model sees in the picture of `ws` [num_ws, 512]: uint8 [r, r] class ids, 255 = unknown."""
        transfer = self.model.transfer
        with torch.inference_mode():
            features = transfer.read(self.generator, torch.from_numpy(ws)[None].to(self._device))
            channels = transfer.label(features)[0].cpu().numpy()
        ids = np.array([*self.palette.class_ids, 255], np.uint8)
        label_map: np.ndarray = ids[channels]
        return label_map

    def _learned(self, layout: Tensor) -> Tensor:
        """The layout without classes that no shot held: no score could ever reach them."""
        learned = torch.zeros(self.palette.num_classes + 1, dtype=torch.bool, device=self._device)
        learned[self.model.vectors.channels] = True
        return torch.where(learned[layout], layout, UNKNOWN)


def render_ws(generator: Generator, ws: Tensor, size: int) -> np.ndarray:
    """`ws` [1, num_ws, 512] → uint8 [size, size, 3]; smaller sizes are the full picture averaged over squares."""
    picture = generator.synthesis(ws)
    if size != generator.img_resolution:
        picture = F.interpolate(picture.clamp(-1, 1), size=(size, size), mode="area")
    return to_rgb8(picture[0])
