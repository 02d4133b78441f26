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
from smis_desktop.errors import UserError
from smis_desktop.gan.latents import seeded_z
from smis_desktop.gan.pixels import to_rgb8
from smis_desktop.gan.protocol import Generator
from smis_desktop.gan.regions import Regions
from smis_desktop.labels.palette import Palette
from smis_desktop.style import Look, Style

Quality = Literal["draft", "full"]
DRAFT_SIZE = 256
_MASK_SIDE = 256


@dataclass(frozen=True, eq=False)
class PictureRequest:
    """Everything that decides a picture, besides the generator and the personal model.

    layout: uint8 [H, H], class ids, read-only; ids that the model does not know count as "not said".
    style: whose look is mixed in, how strongly and where.
    size: side of the picture in pixels, at most the generator's `img_resolution`, which it divides.
    quality: "draft" is quick and approximate, "full" is the generator's own picture, downsampled.
    refine_steps: gradient steps on `ws` towards the layout (0 = the encoder alone).
    start_ws: float32 [num_ws, D], read-only: whose structural slots to start from instead of the encoder's answer, to
        go on with an earlier refinement of the same layout.
    exact_ws: float32 [num_ws, D], read-only: the latents themselves; then layout and style decide nothing but what
        classes wear that wear looks of their own.
    """

    layout: np.ndarray = field(repr=False)
    style: Style = field(default_factory=Style)
    size: int = 256
    quality: Quality = "full"
    refine_steps: int = 0
    start_ws: np.ndarray | None = field(default=None, repr=False)
    exact_ws: np.ndarray | None = field(default=None, repr=False)


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
            styles, regions = self._dressed(ws, request)
            if request.quality == "draft":
                picture = to_rgb8(self.generator.draft(styles, request.size, regions)[0])
            else:
                picture = render_ws(self.generator, styles, request.size, regions)
        latents = ws[0].detach().cpu().numpy()
        seen = self.segment(latents) if request.quality == "full" else None
        return PictureResult(picture, latents, time.perf_counter() - started, seen)

    def latents(self, request: PictureRequest) -> Tensor:
        """`ws` [1, num_ws, D] of a layout: encoder, structural mixing, refinement, mixing of the fine slots."""
        model, style = self.model, request.style
        if request.exact_ws is not None:
            return self._on_device(request.exact_ws)[None]
        layout = layout_channels(request.layout, model.palette, model.label_kind, model.encoder.shape.resolution)
        layout = layout[None].to(self._device)
        structural = self.generator.fine_slots.start
        with torch.no_grad():
            ws: Tensor = model.encoder(one_hot(layout, model.palette.num_classes))
            look = torch.lerp(self._look(style.look), self._look(style.second or style.look), style.blend)
            mixed = mix_styles(self.generator, ws, look, style)
            if request.start_ws is not None:
                begun = self._on_device(request.start_ws)[None]
                mixed = torch.cat((begun[:, :structural], mixed[:, structural:]), 1)
        if request.refine_steps > 0:
            return refine(self.generator, model.transfer, mixed, self._learned(layout), request.refine_steps)
        return mixed

    def _dressed(self, ws: Tensor, request: PictureRequest) -> tuple[Tensor, Regions | None]:
        """`ws` and, behind it, what each class wears that wears something of its own, [K, num_ws, D]; and where."""
        looks = [(class_id, look) for class_id, look in request.style.class_looks if class_id in self.palette.class_ids]
        if not looks or len(self.generator.fine_slots) == 0:
            return ws, None
        everyone = Style(fine=1.0)
        with torch.no_grad():
            # Where the picture shows the class, not where the layout asks for it: else a look ends in mid-air.
            seen = self.model.transfer.label(self.model.transfer.read(self.generator, ws))
            channels = [self.palette.class_ids.index(class_id) for class_id, _ in looks]
            masks = torch.cat([(seen == channel)[:, None].float() for channel in channels])
            masks = F.interpolate(masks, size=(_MASK_SIDE, _MASK_SIDE), mode="bilinear", align_corners=False)
            dressed = [mix_styles(self.generator, ws, self._look(look), everyone) for _, look in looks]
            return torch.cat((ws, *dressed)), Regions(torch.cat((1 - masks.sum(0, keepdim=True), masks)))

    def _look(self, look: Look) -> Tensor:
        """`ws` [1, num_ws, D] of a seed or a picture. Raises UserError when it is another generator's picture."""
        generator = self.generator
        if look.ws is None:
            return generator.broadcast(generator.mapping(seeded_z(look.seed, generator.w_dim).to(self._device)))
        if look.ws.shape != (generator.num_ws, generator.w_dim):
            raise UserError(
                f"The look “{look.name}” was made by another generator than {generator.name}; choose another."
            )
        return self._on_device(look.ws)[None]

    def _on_device(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(numbers, np.float32)).to(self._device)

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


def render_ws(generator: Generator, ws: Tensor, size: int, regions: Regions | None = None) -> np.ndarray:
    """`ws` [1, num_ws, D] → uint8 [size, size, 3]; smaller sizes are the full picture averaged over squares.

    With regions, `ws` [K, num_ws, D] holds the style of each.
    """
    picture = generator.synthesis(ws, regions)
    if size != generator.img_resolution:
        picture = F.interpolate(picture.clamp(-1, 1), size=(size, size), mode="area")
    return to_rgb8(picture[0])
