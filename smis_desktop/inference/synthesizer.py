"""From a layout to a picture: a frozen request in, a result out."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import EMPTY, UNKNOWN_CHANNEL, Palette
from smis_desktop.document.style import DRAFT_SIZE, Anchor, Look, Style
from smis_desktop.errors import UserError
from smis_desktop.generators.generator import CoarseFeatures, Generator, draft_side, resized, seeded_z, to_rgb8
from smis_desktop.generators.layers import Regions
from smis_desktop.inference.backends import SynthesisBackend, TorchBackend
from smis_desktop.inference.refinement import refine
from smis_desktop.personal_model.encoder import layout_channels, one_hot
from smis_desktop.personal_model.model import PersonalModel, split_along

Quality = Literal["draft", "full"]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_MASK_SIDE = 256
_CACHE_SIZE = 6
"""Pictures: the draft and the full one of what is painted, and some that were shown before."""


@dataclass(frozen=True, eq=False)
class PictureRequest:
    """Everything that determines a picture, given the generator and the personal model.

    layout: uint8 [H, H], class ids, read-only; ids that the model does not know count as unpainted.
    style: whose look is mixed in, how strongly and where.
    size: side of the picture in pixels; it divides the generator's `img_resolution`, or the picture is enlarged to it.
    quality: "draft" is quick and approximate, "full" is the generator's own picture, downsampled.
    refine_steps: gradient steps on `ws` towards the layout (0 = the encoder alone).
    start_ws: float32 [num_ws, D], read-only: its structural slots replace the encoder's answer, to go on with an
        earlier refinement of the same layout.
    anchor: a picture that this one began as: its latents are moved by the difference that the change of the layout
        since makes to the encoder's answer, so that what was not repainted stays.
    exact_ws: float32 [num_ws, D], read-only: the latents themselves; then layout and style decide nothing but the looks
        of classes that have their own.
    """

    layout: np.ndarray = field(repr=False)
    style: Style = field(default_factory=Style)
    size: int = DRAFT_SIZE
    quality: Quality = "full"
    refine_steps: int = 0
    start_ws: np.ndarray | None = field(default=None, repr=False)
    exact_ws: np.ndarray | None = field(default=None, repr=False)
    anchor: Anchor | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class PictureResult:
    """A rendered picture, uint8 [size, size, 3] sRGB; ws: float32 [num_ws, 512], the latents it was made from.

    predicted_labels: uint8 [r, r], the classes that the model reads off a full picture; 255 = unknown. None for drafts.
    """

    picture: np.ndarray = field(repr=False)
    ws: np.ndarray = field(repr=False)
    seconds: float = 0.0
    predicted_labels: np.ndarray | None = field(default=None, repr=False)


class Synthesizer:
    """A generator, a personal model that fits it, and the backend that runs them.

    `render` is a pure function of its request.
    """

    def __init__(self, generator: Generator, model: PersonalModel, backend: SynthesisBackend | None = None) -> None:
        """Args: backend: default torch. Raises UserError when the model belongs to another generator."""
        model.require(generator)
        self.generator, self.model = generator, model
        self.backend = backend or TorchBackend(generator)
        self._device = generator.device
        self._encoded: OrderedDict[bytes, Tensor] = OrderedDict()
        self._results: OrderedDict[bytes, PictureResult] = OrderedDict()
        self._residuals: OrderedDict[Look, tuple[Tensor, Tensor]] = OrderedDict()

    @property
    def name(self) -> str:
        """The personal model's name, for people."""
        return self.model.name

    @property
    def generator_name(self) -> str:
        """The name of the installed generator."""
        return self.generator.name

    @property
    def palette(self) -> Palette:
        """The model's classes."""
        return self.model.palette

    @property
    def full_size(self) -> int:
        """Side of the generator's own pictures in pixels."""
        return self.generator.img_resolution

    @property
    def device(self) -> str:
        """What computes the pictures, for people: `CPU, 4 threads, torch, float32`."""
        kind = "cpu" if self.backend.has_fallen_back else self._device.type
        if kind == "cpu":
            threads = torch.get_num_threads()
            where = "CPU, 1 thread" if threads == 1 else f"CPU, {threads} threads"
        else:
            where = torch.cuda.get_device_name(self._device) if kind == "cuda" else kind.upper()
        return f"{where}, {self.backend.name}"

    def render(self, request: PictureRequest) -> PictureResult:
        """Make the picture of a request. Recent results are cached."""
        key = _key(request)
        result = self._results.pop(key, None) or self._render(request)
        _remember(self._results, key, result)
        return result

    def segment(self, ws: np.ndarray) -> np.ndarray:
        """Predict the labels of the picture of `ws` [num_ws, D]: uint8 [r, r] class ids, 255 = unknown."""
        with torch.inference_mode():
            return self._predicted_labels(self.backend.coarse_features(self._on_device(ws)[None]))

    def latents(self, request: PictureRequest) -> Tensor:
        """Compute `ws` [1, num_ws, D]: encoder, anchor, variety, style mixing, refinement."""
        if request.exact_ws is not None:
            return self._on_device(request.exact_ws)[None]
        model, style = self.model, request.style
        layout = self._channels(request.layout)
        structural = self.generator.fine_slots.start
        with torch.no_grad():
            ws = self._encode(layout)
            if request.anchor is not None:
                ws = self._anchored(ws, request.anchor)
            look = torch.lerp(self._look(style.look), self._look(style.second or style.look), style.blend)
            freedom = 1 - (request.anchor.weight if request.anchor else 0)
            if style.variety_strength * freedom > 0:
                first = self._variety_offset(style.look, style.variety_strength)
                second = self._variety_offset(style.second or style.look, style.variety_strength)
                offset = torch.lerp(first, second, style.blend)
                ws = torch.cat((ws[:, :structural] + freedom * offset, ws[:, structural:]), 1)
            mixed = mix_styles(self.generator, ws, look, style)
            start = mixed
            if request.start_ws is not None:
                earlier = self._on_device(request.start_ws)[None]
                start = torch.cat((earlier[:, :structural], mixed[:, structural:]), 1)
        if request.refine_steps == 0:
            return start
        target, precision = self._without_unlearned(layout), self.backend.precision
        colors = None if model.feature_colors is None else model.feature_colors.to(self._device)
        return refine(self.generator, model.transfer, start, target, request.refine_steps, precision, colors, mixed)

    def _render(self, request: PictureRequest) -> PictureResult:
        started = time.perf_counter()
        ws = self.latents(request).detach()
        with torch.inference_mode():
            coarse = self.backend.coarse_features(ws)
            styles, regions = self._apply_region_styles(ws, coarse, request.style)
            picture = self._picture(coarse, styles, regions, request)
        labels = self._predicted_labels(coarse) if request.quality == "full" else None
        return PictureResult(to_rgb8(picture), ws[0].cpu().numpy(), time.perf_counter() - started, labels)

    def _picture(
        self, coarse: CoarseFeatures, styles: Tensor, regions: Regions | None, request: PictureRequest
    ) -> Tensor:
        """Synthesize [3, size, size]: the smallest picture that is large enough, resized; full quality averages
        areas."""
        is_draft = request.quality == "draft"
        side = draft_side(self.generator, request.size) if is_draft else self.generator.img_resolution
        picture = self.backend.synthesize_fine(coarse, styles, side, regions)
        if side == request.size:
            return picture[0]
        if is_draft:
            return F.interpolate(picture, (request.size, request.size), mode="bilinear", antialias=True)[0]
        return resized(picture.clamp(-1, 1), request.size)[0]

    def _channels(self, layout: np.ndarray) -> Tensor:
        """Convert a layout to the encoder's input, int64 [1, r, r]."""
        model = self.model
        channels = layout_channels(layout, model.palette, model.label_kind, model.encoder.shape.resolution)
        return channels[None].to(self._device)

    def _encode(self, layout: Tensor) -> Tensor:
        """Compute `ws` [1, num_ws, D] of a layout in channels; cached, because a new style does not change it."""
        key = layout.cpu().numpy().tobytes()
        ws = self._encoded.pop(key, None)
        if ws is None:
            ws = self.model.encoder(one_hot(layout, self.model.palette.num_classes))
        _remember(self._encoded, key, ws)
        return ws

    def _anchored(self, ws: Tensor, anchor: Anchor) -> Tensor:
        structural = self.generator.fine_slots.start
        if anchor.ws.shape != ws.shape[1:]:
            return ws  # the anchor is another generator's
        before = self._encode(self._channels(anchor.layout))
        own = self._on_device(anchor.ws)[None]
        moved = ws + anchor.weight * (own - before)
        fine = own if anchor.keeps_style else ws
        return torch.cat((moved[:, :structural], fine[:, structural:]), 1)

    def _variety_offset(self, look: Look, strength: float) -> Tensor:
        """Return what a look adds to the latents of another layout, [1, 1, D], by `strength` (0–1).

        The encoder answers with the mean of all pictures of a layout, and a mean is plainer than any of them. Adding
        what a look's picture has beyond its layout gives back what averaging took (docs/experiments/variety.md). Most
        of that moves no class and is added first, all of it from half strength on; what moves classes follows by the
        third power. Without label directions everything is added evenly.
        """
        along, across = self._layout_residual(look)
        if self.model.directions is None:
            return strength * along
        return strength**3 * along + min(1.0, 2 * strength) * across

    def _layout_residual(self, look: Look) -> tuple[Tensor, Tensor]:
        """Return a look's structural latent minus the encoder's answer to the labels predicted for its picture.

        Returns:
            Two parts [1, 1, D]: along the label directions, and the rest (zero without directions).
        """
        parts = self._residuals.pop(look, None)
        if parts is None:
            ws, structural = self._look(look), self.generator.fine_slots.start
            labels = self.model.transfer.label(self.backend.coarse_features(ws).label_features)
            residual = (ws - self._encode(labels))[:, :structural].mean(1, keepdim=True)
            parts = self._split_along_directions(residual)
        _remember(self._residuals, look, parts)
        return parts

    def _split_along_directions(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        if self.model.directions is None:
            return residual, torch.zeros_like(residual)
        latents = self.generator.latents
        directions = self.model.directions.to(self._device)
        whitened, _ = split_along(latents.whiten(latents.w_avg + residual), directions)
        along = latents.color(whitened) - latents.w_avg
        return along, residual - along

    def _apply_region_styles(self, ws: Tensor, coarse: CoarseFeatures, style: Style) -> tuple[Tensor, Regions | None]:
        """Append the `ws` of each class that has its own look, [K, num_ws, D]; return them with their regions."""
        looks = [(class_id, look) for class_id, look in style.class_looks if class_id in self.palette.class_ids]
        if not looks or len(self.generator.fine_slots) == 0:
            return ws, None
        fine_only = Style(fine=1.0)
        with torch.no_grad():
            # Where the picture shows the class, not where the layout asks for it: else a look ends next to its object.
            labels = self.model.transfer.label(coarse.label_features)
            channels = [self.palette.class_ids.index(class_id) for class_id, _ in looks]
            masks = torch.cat([(labels == channel)[:, None].float() for channel in channels])
            masks = F.interpolate(masks, size=(_MASK_SIDE, _MASK_SIDE), mode="bilinear", align_corners=False)
            styled = [mix_styles(self.generator, ws, self._look(look), fine_only) for _, look in looks]
            return torch.cat((ws, *styled)), Regions(torch.cat((1 - masks.sum(0, keepdim=True), masks)))

    def _look(self, look: Look) -> Tensor:
        """Return `ws` [1, num_ws, D] of a seed or a picture. Raises UserError when it is another generator's
        picture."""
        generator = self.generator
        if look.ws is None:
            return generator.broadcast(generator.mapping(seeded_z(look.seed, generator.w_dim).to(self._device)))
        if look.ws.shape != (generator.num_ws, generator.w_dim):
            raise UserError(
                f"The look “{look.name}” was made by another generator than {generator.name}; choose another."
            )
        return self._on_device(look.ws)[None]

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(array, np.float32)).to(self._device)

    def _predicted_labels(self, coarse: CoarseFeatures) -> np.ndarray:
        channels = self.model.transfer.label(coarse.label_features)[0].cpu().numpy()
        ids = np.array([*self.palette.class_ids, EMPTY], np.uint8)
        label_map: np.ndarray = ids[channels]  # UNKNOWN_CHANNEL, -1, reads the last entry
        return label_map

    def _without_unlearned(self, layout: Tensor) -> Tensor:
        """Remove from the layout the classes that no shot held: their scores are -inf for every picture."""
        is_learned = torch.zeros(self.palette.num_classes + 1, dtype=torch.bool, device=self._device)
        is_learned[self.model.vectors.channels] = True
        return torch.where(is_learned[layout], layout, UNKNOWN_CHANNEL)


def mix_styles(generator: Generator, ws: Tensor, look: Tensor, style: Style) -> Tensor:
    """Move `ws` [N, num_ws, D] towards `look` [N or 1, num_ws, D], each group of slots by its own strength."""
    strength = torch.zeros(generator.num_ws, 1, device=ws.device)
    for slots, fader in (
        (generator.coarse_slots, style.coarse),
        (generator.middle_slots, style.middle),
        (generator.fine_slots, style.fine),
    ):
        strength[slots.start : slots.stop] = style.mix * fader
    return torch.lerp(ws, look.expand_as(ws), strength)


def render_ws(generator: Generator, ws: Tensor, size: int) -> np.ndarray:
    """Render `ws` [1, num_ws, D] as uint8 [size, size, 3]; smaller sizes are the full picture averaged over squares."""
    return to_rgb8(resized(generator.synthesis(ws).clamp(-1, 1), size)[0])


def _remember(cache: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    cache[key] = value
    if len(cache) > _CACHE_SIZE:
        cache.popitem(last=False)


def _key(request: PictureRequest) -> bytes:
    """Return a digest that is equal for requests of the same picture, and for no others."""
    digest = hashlib.blake2b(repr(request).encode() + repr(request.anchor).encode(), digest_size=24)
    anchor = (None, None) if request.anchor is None else (request.anchor.layout, request.anchor.ws)
    for part in (request.layout, request.start_ws, request.exact_ws, *anchor):
        digest.update(b"-" if part is None else repr(part.shape).encode() + np.ascontiguousarray(part).tobytes())
    return digest.digest()
