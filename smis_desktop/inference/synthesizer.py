"""From a layout to a picture: a frozen request in, a result out."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.composition import (
    MASK_SIDE,
    ClassLock,
    Composition,
    Patch,
    Region,
    Repaint,
    follows_as_a_whole,
    repainted_region,
)
from smis_desktop.document.palette import EMPTY, UNKNOWN_CHANNEL, Palette
from smis_desktop.document.style import DRAFT_SIZE, Anchor, Style
from smis_desktop.generators.coarse_features import CoarseFeatures
from smis_desktop.generators.generator import Generator, draft_side, resized, to_rgb8
from smis_desktop.generators.layers import Regions
from smis_desktop.inference.backends import SynthesisBackend, TorchBackend
from smis_desktop.inference.composed_features import ComposedFeatures, FeatureLayer, as_shown, masks_of, surroundings_of
from smis_desktop.inference.composition_layers import CompositionLayers
from smis_desktop.inference.layout_regions import region_masks
from smis_desktop.inference.refinement import Refinement, RefinementTarget, begun, latents_at, refine
from smis_desktop.inference.refinement_losses import PictureReading
from smis_desktop.inference.styling import StyledRegion, Styler, side_by_side
from smis_desktop.personal_model.encoder import known_ids, layout_channels, one_hot
from smis_desktop.personal_model.label_transfer import LinearProbe
from smis_desktop.personal_model.model import PersonalModel

Quality = Literal["draft", "full"]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_CACHE_SIZE = 6
_NUM_BEFORES = 2
"""Layouts that are repainted, which take 4 MB at most."""
_NUM_PICTURES = 16
"""Pictures that are cached: the draft and the full one of what is painted, and those that undo brings back."""


@dataclass(frozen=True, eq=False)
class PictureRequest:
    """Everything that determines a picture, given the generator and the personal model.

    layout: uint8 [H, H], class ids, read-only; ids that the model does not know count as unpainted.
    style: whose look is mixed in, how strongly and where.
    size: side of the picture in pixels; it divides the generator's `img_resolution`, or the picture is enlarged to it.
    quality: "draft" is quick and approximate, "full" is the generator's own picture, downsampled.
    refine_steps: gradient steps on the latents towards the layout (0 = the encoder alone).
    repaint: the picture that is repainted where the layout has changed; without one the whole picture is made anew.
    anchor: a picture that a whole one began as: its latents are moved by the difference that the change of the layout
        since makes to the encoder's answer, so that most of what was not repainted stays.
    composition: what the picture is made of, where that is known; the encoder then decides nothing, and refinement
        refines the topmost latents.
    lock: classes that keep the look that they had; without one, those that `composition` holds.
    refinement: of the same layout and style, that `refine_steps` go on from.
    """

    layout: np.ndarray = field(repr=False)
    style: Style = field(default_factory=Style)
    size: int = DRAFT_SIZE
    quality: Quality = "full"
    refine_steps: int = 0
    repaint: Repaint | None = field(default=None, repr=False)
    anchor: Anchor | None = field(default=None, repr=False)
    composition: Composition | None = field(default=None, repr=False)
    lock: ClassLock | None = field(default=None, repr=False)
    refinement: Refinement | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False)
class PictureResult:
    """A rendered picture, uint8 [size, size, 3] sRGB.

    composition: what it was made of. shown: the same with the style in its latents, as it is rendered without one.
    predicted_labels: uint8 [r, r], the classes that the model reads off a full picture; 255 = unknown. None for drafts.
    refinement: how far refinement has got, for a request that goes on from there.
    """

    picture: np.ndarray = field(repr=False)
    composition: Composition = field(repr=False)
    shown: Composition = field(repr=False)
    seconds: float = 0.0
    predicted_labels: np.ndarray | None = field(default=None, repr=False)
    refinement: Refinement | None = field(default=None, repr=False)

    @property
    def ws(self) -> np.ndarray:
        """The latents of the picture without its patches, float32 [num_ws, D]."""
        return self.shown.base


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
        self.reading = PictureReading.by(model, generator, self.backend.precision)
        """How refinement reads pictures."""
        self._styler = Styler(generator, model, self._encoded_look)
        self._layers = CompositionLayers(generator, self._styler)
        self._features = ComposedFeatures(self.backend)
        self._befores: OrderedDict[bytes, tuple[np.ndarray, Tensor]] = OrderedDict()
        self._encoded: OrderedDict[bytes, Tensor] = OrderedDict()
        self._results: OrderedDict[bytes, PictureResult] = OrderedDict()

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
        _remember(self._results, key, result, _NUM_PICTURES)
        return result

    def segment(self, ws: np.ndarray) -> np.ndarray:
        """Predict the labels of the picture of `ws` [num_ws, D]: uint8 [r, r] class ids, 255 = unknown."""
        with torch.inference_mode():
            return self._as_ids(self._label(self.backend.coarse_features(self._on_device(ws)[None])))

    def compose(self, request: PictureRequest) -> Composition:
        """Return what the picture of a request is made of: encoder, then refinement of the topmost latents."""
        return self._composed_and_refined(request)[0]

    def _composed_and_refined(self, request: PictureRequest) -> tuple[Composition, Refinement | None]:
        composition, refinement = request.composition or self._composed(request), request.refinement
        if request.refine_steps:
            composition, refinement = self._refined(request, composition)
        if request.lock is not None:
            composition = _locked(composition, request.lock, request.layout)
        return composition, refinement

    def _composed(self, request: PictureRequest) -> Composition:
        """Return the composition before refinement."""
        with torch.no_grad():
            ws = self._encode(self._channels(request.layout))
            repainted = None if request.repaint is None else self._repainted(request.repaint, request.layout, ws)
            if repainted is not None:
                return repainted
            anchor, takes_variety = request.anchor, True
            if anchor is not None and anchor.ws.shape == ws.shape[1:]:  # else it is another generator's
                ws, takes_variety = self._anchored(ws, anchor), not anchor.keeps_style
            return Composition(_as_array(ws[0]), takes_variety=takes_variety)

    def _repainted(self, repaint: Repaint, layout: np.ndarray, ws: Tensor) -> Composition | None:
        """Return the composition with what was repainted, or None where the picture follows as a whole.

        Args:
            ws: the encoder's answer to `layout`, [1, num_ws, D].
        """
        before, ws_before = self._before(repaint)
        beneath, mask = repaint.beneath, repaint.mask
        if mask is None:
            after = known_ids(layout, self.palette)
            if follows_as_a_whole(before, after):
                return None
            mask = repainted_region(before, after, repaint.edge)
        if not mask.any():
            return beneath
        structural = self.generator.fine_slots.start
        own = self._on_device(beneath.shown_in(mask, structural)) + (ws - ws_before)[0, :structural]
        return replace(beneath.with_patch(Patch(_as_array(own), mask, repaint.look)), held=None)

    def _before(self, repaint: Repaint) -> tuple[np.ndarray, Tensor]:
        """Return the layout from before, of known ids, and the encoder's answer to it; cached for the next draft."""
        found = self._befores.pop(repaint.digest, None)
        if found is None:
            found = known_ids(repaint.layout, self.palette), self._encode(self._channels(repaint.layout))
        _remember(self._befores, repaint.digest, found, _NUM_BEFORES)
        return found

    def _refined(self, request: PictureRequest, composition: Composition) -> tuple[Composition, Refinement | None]:
        """Return the composition with its topmost latents refined, and how far refinement has got."""
        if request.repaint is not None and composition.digest == request.repaint.beneath.digest:
            return composition, None  # nothing was repainted
        layers, style = self._layers.of(composition, request.style), request.style
        plain = replace(request, composition=None, refine_steps=0)
        reference = self._layers.of(self._composed(plain), style)[-1].ws
        state = request.refinement or self._begun(composition, layers, request.layout)
        masks, surroundings = None, None
        with torch.no_grad():
            if len(layers) > 1:
                surroundings = surroundings_of(self._features.of(layers[:-1]), layers[-1].mask)
            elif state.region_masks:
                masks = masks_of(state.region_masks, self._device)
        layouts = {side: self._learned_channels(request.layout, side) for side in self.reading.sides}
        target = RefinementTarget(self.reading, layouts, reference, masks, surroundings)
        state = refine(self.generator, target, state, request.refine_steps)
        return self._as_composition(state, composition, style), state

    def _begun(self, composition: Composition, layers: Sequence[FeatureLayer], layout: np.ndarray) -> Refinement:
        """Return the refinement of a composition before its first step."""
        top, masks, offsets = layers[-1], [], None
        if composition.regions and not composition.patches:
            masks = [region.mask for region in composition.regions]
            offsets = torch.from_numpy(top.region_offsets).to(self._device)
        elif not composition.patches and isinstance(self.model.transfer, LinearProbe):
            masks = region_masks(self._channels(layout, MASK_SIDE)[0].cpu().numpy())
        return begun(self.generator, composition, top.ws, masks, offsets)

    def _as_composition(self, state: Refinement, known: Composition, style: Style) -> Composition:
        """Return the composition of a state's best places; `known` itself if it is the same one."""
        if state.is_where_it_began:
            return known
        shared, offsets = latents_at(self.generator, state, state.best)
        structural, before = self.generator.fine_slots.start, state.composition
        change = _as_array(self._styler.plain_change(shared - state.start, style)[0])
        if before.patches:
            *rest, top = before.patches
            refined = replace(top, ws=_frozen(top.ws + change[: len(top.ws)]))
            return replace(before, patches=(*rest, refined))
        regions = before.regions
        if offsets is not None:
            plain = self._styler.plain_change(offsets.expand(-1, self.generator.num_ws, -1), style)[:, :structural]
            regions = tuple(Region(_as_array(own), mask) for own, mask in zip(plain, state.region_masks, strict=True))
        return replace(before, base=_frozen(before.base + change), regions=regions)

    def _render(self, request: PictureRequest) -> PictureResult:
        started = time.perf_counter()
        composition, refinement = self._composed_and_refined(request)
        with torch.inference_mode():
            layers = self._layers.of(composition, request.style)
            coarse, ws = self._features.of(layers), layers[0].ws
            coarse, held = self._with_held(coarse, composition)
            needs_labels = request.quality == "full" or bool(request.style.class_looks)
            labels = self._label(coarse) if needs_labels else None
            styles, regions = self._styler.regions(ws, labels, request.style, composition, held)
            picture = self._picture(coarse, styles, regions, request)
        seen = None if request.quality == "draft" or labels is None else self._as_ids(labels)
        shown = as_shown(composition, layers)
        return PictureResult(to_rgb8(picture), composition, shown, time.perf_counter() - started, seen, refinement)

    def _with_held(self, coarse: CoarseFeatures, composition: Composition) -> tuple[CoarseFeatures, list[StyledRegion]]:
        """Put what locked classes look like over the rest; return the regions of its styles too, from the top down."""
        held = composition.held
        if held is None:
            return coarse, []
        layers = self._layers.of(held.lock.composition, held.lock.style)
        below = self._features.of(layers)
        surroundings = surroundings_of(coarse, held.mask)
        labels, mask = self._label(below), self._styler.mask(held.mask)
        styles, regions = self._styler.regions(layers[0].ws, labels, held.lock.style, held.lock.composition)
        masks = mask if regions is None else regions.masks * mask
        return surroundings.around_all(below), side_by_side(styles.split(1), masks)

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

    def _channels(self, layout: np.ndarray, side: int | None = None) -> Tensor:
        """Convert a layout to channels, int64 [1, side, side], by default as the encoder takes it."""
        model = self.model
        channels = layout_channels(layout, model.palette, model.label_kind, side or model.encoder.shape.resolution)
        return channels[None].to(self._device)

    def _encode(self, layout: Tensor) -> Tensor:
        """Compute `ws` [1, num_ws, D] of a layout in channels; cached, because a new style does not change it."""
        key = layout.cpu().numpy().tobytes()
        ws = self._encoded.pop(key, None)
        if ws is None:
            ws = self.model.encoder(one_hot(layout, self.model.palette.num_classes), self.generator)
        _remember(self._encoded, key, ws)
        return ws

    def _anchored(self, ws: Tensor, anchor: Anchor) -> Tensor:
        structural = self.generator.fine_slots.start
        before = self._encode(self._channels(anchor.layout))
        own = self._on_device(anchor.ws)[None]
        moved = ws + anchor.weight * (own - before)
        fine = own if anchor.keeps_style else ws
        return torch.cat((moved[:, :structural], fine[:, structural:]), 1)

    def _encoded_look(self, ws: Tensor) -> Tensor:
        """Return the encoder's answer to the labels that are predicted for the picture of `ws`, both
        [1, num_ws, D]."""
        return self._encode(self._label(self.backend.coarse_features(ws)))

    def _on_device(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(array, np.float32)).to(self._device)

    def _label(self, coarse: CoarseFeatures) -> Tensor:
        """Predict the labels of a picture in channels, int64 [1, r, r]."""
        return self.model.transfer.label(coarse.label_features)

    def _as_ids(self, labels: Tensor) -> np.ndarray:
        ids = np.array([*self.palette.class_ids, EMPTY], np.uint8)
        label_map: np.ndarray = ids[labels[0].cpu().numpy()]  # UNKNOWN_CHANNEL, -1, reads the last entry
        return label_map

    def _learned_channels(self, layout: np.ndarray, side: int) -> Tensor:
        """Convert a layout to int64 [1, side, side] channels, without the classes that no shot held: their scores are
        -inf for every picture."""
        is_learned = torch.zeros(self.palette.num_classes + 1, dtype=torch.bool, device=self._device)
        is_learned[self.model.vectors.channels] = True
        channels = self._channels(layout, side)
        return torch.where(is_learned[channels], channels, UNKNOWN_CHANNEL)


def render_ws(generator: Generator, ws: Tensor, size: int) -> np.ndarray:
    """Render `ws` [1, num_ws, D] as uint8 [size, size, 3]; smaller sizes are the full picture averaged over squares."""
    return to_rgb8(resized(generator.synthesis(ws).clamp(-1, 1), size)[0])


def _locked(composition: Composition, lock: ClassLock, layout: np.ndarray) -> Composition:
    held = lock.held_in(layout)
    if held is not None and composition.held is not None and held.digest == composition.held.digest:
        return composition
    return composition if held is composition.held else replace(composition, held=held)


def _as_array(tensor: Tensor) -> np.ndarray:
    return _frozen(tensor.detach().cpu().numpy())


def _frozen(array: np.ndarray) -> np.ndarray:
    own = np.array(array, np.float32)
    own.setflags(write=False)
    return own


def _remember(cache: OrderedDict[_Key, _Value], key: _Key, value: _Value, size: int = _CACHE_SIZE) -> None:
    cache[key] = value
    if len(cache) > size:
        cache.popitem(last=False)


def _key(request: PictureRequest) -> bytes:
    """Return a digest that is equal for requests of the same picture, and for no others."""
    digest = hashlib.blake2b(repr(request).encode() + repr(request.anchor).encode(), digest_size=24)
    anchor = (None, None) if request.anchor is None else (request.anchor.layout, request.anchor.ws)
    for part in (request.layout, *anchor):
        digest.update(b"-" if part is None else repr(part.shape).encode() + np.ascontiguousarray(part).tobytes())
    for own in (request.repaint, request.composition, request.lock, request.refinement):
        digest.update(b"-" if own is None else own.digest)
    return digest.digest()
