"""The one door from a layout to a picture: a frozen request in, a result out."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import UNKNOWN_CHANNEL, Palette
from smis_desktop.document.style import Anchor, Look, Style
from smis_desktop.errors import UserError
from smis_desktop.generators.latents import seeded_z
from smis_desktop.generators.layers import Regions
from smis_desktop.generators.pixels import resized, to_rgb8
from smis_desktop.generators.protocol import CoarseFeatures, Generator, draft_side
from smis_desktop.inference.backends import SynthesisBackend, TorchBackend
from smis_desktop.inference.refinement import mix_styles, refine
from smis_desktop.personal_model.label_directions import split
from smis_desktop.personal_model.label_transfer import one_hot
from smis_desktop.personal_model.model import PersonalModel, layout_channels

Quality = Literal["draft", "full"]
_MASK_SIDE = 256
_REMEMBERED = 6
"""Pictures: the draft and the full one of what is painted, and some that were looked at just before."""


@dataclass(frozen=True, eq=False)
class PictureRequest:
    """Everything that decides a picture, besides the generator and the personal model.

    layout: uint8 [H, H], class ids, read-only; ids that the model does not know count as "not said".
    style: whose look is mixed in, how strongly and where.
    size: side of the picture in pixels; it divides the generator's `img_resolution`, or the picture is enlarged to it.
    quality: "draft" is quick and approximate, "full" is the generator's own picture, downsampled.
    refine_steps: gradient steps on `ws` towards the layout (0 = the encoder alone).
    start_ws: float32 [num_ws, D], read-only: whose structural slots to start from instead of the encoder's answer, to
        go on with an earlier refinement of the same layout.
    anchor: a picture that this one began as: its latents are moved by what the encoder makes of the change since, so
        that what was not repainted stays.
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
    anchor: Anchor | None = field(default=None, repr=False)


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

    def __init__(self, generator: Generator, model: PersonalModel, pictures: SynthesisBackend | None = None) -> None:
        """pictures: the backend (default: torch). Raises UserError when the model belongs to another generator."""
        model.require(generator)
        self.generator, self.model = generator, model
        self.pictures = pictures or TorchBackend(generator)
        self._device = generator.device
        self._encoded: OrderedDict[bytes, Tensor] = OrderedDict()
        self._results: OrderedDict[bytes, PictureResult] = OrderedDict()
        self._open_parts: OrderedDict[Look, tuple[Tensor, Tensor]] = OrderedDict()

    @property
    def backend(self) -> str:
        """What computes the pictures, for people."""
        return self.pictures.name

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
        """The picture of a layout. What was asked for lately is not computed again."""
        key = _key(request)
        found = self._results.pop(key, None) or self._render(request)
        self._results[key] = found
        if len(self._results) > _REMEMBERED:
            self._results.popitem(last=False)
        return found

    def _render(self, request: PictureRequest) -> PictureResult:
        started = time.perf_counter()
        ws = self.latents(request).detach()
        with torch.inference_mode():
            structure = self.pictures.structure(ws)
            styles, regions = self._apply_region_styles(ws, structure, request.style)
            picture = self._picture(structure, styles, regions, request)
        seen = self._ids(structure) if request.quality == "full" else None
        return PictureResult(to_rgb8(picture), ws[0].cpu().numpy(), time.perf_counter() - started, seen)

    def _picture(
        self, structure: CoarseFeatures, styles: Tensor, regions: Regions | None, request: PictureRequest
    ) -> Tensor:
        """[3, size, size]: the smallest that is large enough, brought to size; averaged if it has to be exact."""
        is_draft = request.quality == "draft"
        side = draft_side(self.generator, request.size) if is_draft else self.generator.img_resolution
        picture = self.pictures.finish(structure, styles, side, regions)
        if side == request.size:
            return picture[0]
        if is_draft:
            return F.interpolate(picture, (request.size, request.size), mode="bilinear", antialias=True)[0]
        return resized(picture.clamp(-1, 1), request.size)[0]

    def latents(self, request: PictureRequest) -> Tensor:
        """`ws` [1, num_ws, D] of a layout: encoder, structural mixing, refinement, mixing of the fine slots."""
        model, style = self.model, request.style
        if request.exact_ws is not None:
            return self._on_device(request.exact_ws)[None]
        layout = layout_channels(request.layout, model.palette, model.label_kind, model.encoder.shape.resolution)
        layout = layout[None].to(self._device)
        structural = self.generator.fine_slots.start
        with torch.no_grad():
            ws = self._encode(layout)
            if request.anchor is not None:
                ws = self._anchored(ws, request.anchor)
            look = torch.lerp(self._look(style.look), self._look(style.second or style.look), style.blend)
            unheld = 1 - (request.anchor.weight if request.anchor else 0)
            if style.variety_strength * unheld > 0:
                second = self._variety_offset(style.second or style.look, style.variety_strength)
                open_part = torch.lerp(self._variety_offset(style.look, style.variety_strength), second, style.blend)
                ws = torch.cat((ws[:, :structural] + unheld * open_part, ws[:, structural:]), 1)
            mixed = mix_styles(self.generator, ws, look, style)
            start = mixed
            if request.start_ws is not None:
                begun = self._on_device(request.start_ws)[None]
                start = torch.cat((begun[:, :structural], mixed[:, structural:]), 1)
        if request.refine_steps == 0:
            return start
        asked, precision = self._learned(layout), self.pictures.precision
        colors = None if model.feature_colors is None else model.feature_colors.to(self._device)
        return refine(self.generator, model.transfer, start, asked, request.refine_steps, precision, colors, mixed)

    def _encode(self, layout: Tensor) -> Tensor:
        """`ws` [1, num_ws, D]; those of the last layouts are remembered: a new style does not change them."""
        key = layout.cpu().numpy().tobytes()
        found = self._encoded.pop(key, None)
        if found is None:
            found = self.model.encoder(one_hot(layout, self.model.palette.num_classes))
        self._encoded[key] = found
        if len(self._encoded) > _REMEMBERED:
            self._encoded.popitem(last=False)
        return found

    def _variety_offset(self, look: Look, strength: float) -> Tensor:
        """What a look's picture is besides its layout, [1, 1, D], as much of it as `strength` (0-1) says.

        The encoder answers with the mean of all pictures of a layout, and a mean is plainer than any of them: added to
        another layout's answer, this gives back what averaging took (docs/measurements.md). Most of it moves no class
        and is given first, whole from the middle of the fader on; what would move classes too follows by its third
        power. A model that does not know which is which gives all of it evenly.
        """
        bound, free = self._layout_residual(look)
        if self.model.directions is None:
            return strength * bound
        return strength**3 * bound + min(1.0, 2 * strength) * free

    def _layout_residual(self, look: Look) -> tuple[Tensor, Tensor]:
        """A look's structural latent less what the encoder makes of the layout that the model sees in its picture, in
        two parts [1, 1, D]: what moves classes, and the rest (nothing, where the model does not know)."""
        found = self._open_parts.pop(look, None)
        if found is None:
            ws, structural = self._look(look), self.generator.fine_slots.start
            seen = self.model.transfer.label(self.pictures.structure(ws).label_features)
            besides = (ws - self._encode(seen))[:, :structural].mean(1, keepdim=True)
            found = self._split(besides)
        self._open_parts[look] = found
        if len(self._open_parts) > _REMEMBERED:
            self._open_parts.popitem(last=False)
        return found

    def _split(self, besides: Tensor) -> tuple[Tensor, Tensor]:
        if self.model.directions is None:
            return besides, torch.zeros_like(besides)
        latents = self.generator.latents
        directions = self.model.directions.to(self._device)
        bound, _ = split(latents.whiten(latents.w_avg + besides), directions)
        moving = latents.color(bound) - latents.w_avg
        return moving, besides - moving

    def _anchored(self, ws: Tensor, anchor: Anchor) -> Tensor:
        model, structural = self.model, self.generator.fine_slots.start
        if anchor.ws.shape != ws.shape[1:]:
            return ws  # another generator's: the painting goes on without
        begun = layout_channels(anchor.layout, model.palette, model.label_kind, model.encoder.shape.resolution)
        before = self._encode(begun[None].to(self._device))
        own = self._on_device(anchor.ws)[None]
        moved = ws + anchor.weight * (own - before)
        fine = own if anchor.keeps_style else ws
        return torch.cat((moved[:, :structural], fine[:, structural:]), 1)

    def _apply_region_styles(
        self, ws: Tensor, structure: CoarseFeatures, style: Style
    ) -> tuple[Tensor, Regions | None]:
        """`ws` and, behind it, what each class wears that wears something of its own, [K, num_ws, D]; and where."""
        looks = [(class_id, look) for class_id, look in style.class_looks if class_id in self.palette.class_ids]
        if not looks or len(self.generator.fine_slots) == 0:
            return ws, None
        everyone = Style(fine=1.0)
        with torch.no_grad():
            # Where the picture shows the class, not where the layout asks for it: else a look ends in mid-air.
            seen = self.model.transfer.label(structure.label_features)
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
        """What the model sees in the picture of `ws` [num_ws, D]: uint8 [r, r] class ids, 255 = unknown."""
        with torch.inference_mode():
            return self._ids(self.pictures.structure(self._on_device(ws)[None]))

    def _ids(self, structure: CoarseFeatures) -> np.ndarray:
        channels = self.model.transfer.label(structure.label_features)[0].cpu().numpy()
        ids = np.array([*self.palette.class_ids, 255], np.uint8)
        label_map: np.ndarray = ids[channels]
        return label_map

    def _learned(self, layout: Tensor) -> Tensor:
        """The layout without classes that no shot held: no score could ever reach them."""
        learned = torch.zeros(self.palette.num_classes + 1, dtype=torch.bool, device=self._device)
        learned[self.model.vectors.channels] = True
        return torch.where(learned[layout], layout, UNKNOWN_CHANNEL)


def _key(request: PictureRequest) -> bytes:
    """The same for requests of the same picture, and for no others."""
    digest = hashlib.blake2b(repr(request).encode() + repr(request.anchor).encode(), digest_size=24)
    anchor = (None, None) if request.anchor is None else (request.anchor.layout, request.anchor.ws)
    for part in (request.layout, request.start_ws, request.exact_ws, *anchor):
        digest.update(b"-" if part is None else repr(part.shape).encode() + np.ascontiguousarray(part).tobytes())
    return digest.digest()


def render_ws(generator: Generator, ws: Tensor, size: int) -> np.ndarray:
    """`ws` [1, num_ws, D] → uint8 [size, size, 3]; smaller sizes are the full picture averaged over squares."""
    return to_rgb8(resized(generator.synthesis(ws).clamp(-1, 1), size)[0])
