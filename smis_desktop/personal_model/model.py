"""A personal model: what the generator needs in order to be painted with in one's own classes; and its `.smismodel`
file.

Two of its parts are measured in the generator's latents and features.

Directions: of the hundreds of dimensions of `w`, some thirty change outlines that a label transfer can see; along the
others faces age, turn lighter or get another expression while their layout stays (docs/experiments/variety.md). They
are the principal directions of the class probabilities' gradients with respect to whitened `w`, each gradient against
random weights over pixels and classes: a randomised sketch of the Jacobian's row space (Halko, Martinsson & Tropp 2011,
section 4), taken over many pictures.

Colours: features up to `feature_resolution` decide where things are and much of how light they are; fine slots decide
the rest. A linear map of the last label features, fitted to the generator's own pictures, costs next to nothing and
notices when a change of outlines turns all hair light.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smis_desktop.document.palette import EMPTY, UNKNOWN_CHANNEL, UNLABELLED_SPARSE_ID, LabelKind, Palette
from smis_desktop.errors import UserError
from smis_desktop.generators.generator import Generator, draft_side, latents_of_seed
from smis_desktop.generators.layers import freeze
from smis_desktop.personal_model.encoder import EncoderShape, LayoutEncoder
from smis_desktop.personal_model.label_transfer import LabelTransfer, LinearProbe, RepresentativeVectors
from smis_desktop.personal_model.library import KIND, REMEDY, VERSION
from smis_desktop.personal_model.scribbles import ScribbleTransfer
from smis_desktop.personal_model.trust import WEAK_TRUST
from smis_desktop.storage.safetensors_file import palette_of, read_tensors, write_tensors

_MAX_SCORE_SIDE = 1024
_DIRECTION_PICTURES = 96
_DIRECTION_FIRST_SEED = 80_000
_TRUNCATION = 0.8
_ENERGY = 0.99
"""Share of the gradients' squared length that the directions hold together."""

_COLOR_PICTURES = 64
_COLOR_FIRST_SEED = 90_000
_RIDGE = 1e-3
"""Relative to each feature's own mean square."""
_AREA_PRIOR = 20.0
"""Pixels that are added to a class's area: the mean colour of a few pixels says little."""


@dataclass(frozen=True, eq=False)
class PersonalModel:
    """What was learned from the shots.

    settings: how, for the record; JSON-able. directions: float32 [k, D], see `label_directions`. feature_colors:
    float32 [Z + 1, 3], see `learn_feature_colors`. fine_probe: reads dense labels at `fine_feature_resolution` from
    `Generator.fine_label_features`, where thin classes are worth the time. trust: float32 [C] in [0, 1], how well each
    class is read, see `trust.class_trust`. The last four are None in older models.
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
    fine_probe: LinearProbe | None = None
    trust: Tensor | None = None

    @property
    def transfer(self) -> LabelTransfer:
        """The label transfer that the encoder was trained on.

        It is the probe where there is one, for scribbles together with the vectors, else the vectors alone.
        """
        if self.probe is None:
            return self.vectors
        return ScribbleTransfer(self.probe, self.vectors) if self.label_kind == "sparse" else self.probe

    def move_to(self, device: torch.device) -> None:
        """Move the networks to a device; what else is stored stays on the CPU."""
        for network in (self.encoder, self.vectors, self.probe, self.fine_probe):
            if network is not None:
                network.to(device)

    def weak_classes(self) -> list[int]:
        """Return the ids of the classes that it learned and reads badly; none where that was not measured."""
        if self.trust is None:
            return []
        held = set(self.vectors.channels.tolist())
        weak = (self.trust < WEAK_TRUST).nonzero()[:, 0].tolist()
        return [self.palette.class_ids[channel] for channel in weak if channel in held]

    def require(self, generator: Generator) -> None:
        """Raise UserError when the model was trained on other weights than `generator`'s."""
        if generator.weights_sha256 != self.generator_sha256:
            raise UserError(
                f"The model {self.name!r} was trained on another generator than the installed {generator.name!r} "
                f"(weights {self.generator_sha256[:12]}… against {generator.weights_sha256[:12]}…); "
                f"install the generator {self.generator_name!r} that it came with."
            )


def unknown_ids(layout: np.ndarray, palette: Palette, label_kind: LabelKind) -> list[int]:
    """Return the ids in a layout that the palette lacks, except that of unlabelled pixels."""
    unlabelled = {EMPTY, UNLABELLED_SPARSE_ID} if label_kind == "sparse" else {EMPTY}
    return sorted(int(i) for i in np.unique(layout) if palette.channel_of[i] < 0 and int(i) not in unlabelled)


def segment_latents(generator: Generator, model: PersonalModel, ws: Tensor, size: int) -> np.ndarray:
    """Predict the label map of the picture of `ws` [num_ws, 512]: class ids, uint8 [size, size].

    The fine probe reads it where the model has one. Scores of a probe are enlarged and then compared, so that outlines
    are smooth. Models of dense labels
    give every pixel a class, those of scribbles every pixel that is similar enough. Those of landmarks turn each
    labelled cell of the feature map into a square. All else is 0 = unknown, as in the labels that they learn from.
    """
    transfer = model.fine_probe or model.transfer
    with torch.inference_mode():
        features = generator.features_of_kind(
            ws[None].to(generator.device), "label" if model.fine_probe is None else "fine"
        )
        if model.label_kind == "sparse" and transfer.kind == "vectors":
            channels = transfer.label(features)
        else:
            # Only classes that some shot held have scores at all; -inf cannot be interpolated.
            learned = model.vectors.channels.unique()
            side = min(size, _MAX_SCORE_SIDE)
            scores = F.interpolate(transfer.scores(features)[:, learned], size=(side, side), mode="bilinear")
            channels = learned[scores.argmax(1)]
            if isinstance(transfer, ScribbleTransfer):
                similarity = F.interpolate(transfer.similarity(features)[:, None], size=(side, side), mode="bilinear")
                channels = channels.where(similarity[:, 0] > transfer.vectors.threshold, UNKNOWN_CHANNEL)
        channels = F.interpolate(channels[:, None].float(), size=(size, size), mode="nearest-exact").long()[0, 0]
    unlabelled = UNLABELLED_SPARSE_ID if model.label_kind == "sparse" else EMPTY
    ids = np.array([*model.palette.class_ids, unlabelled], np.uint8)
    label_map: np.ndarray = ids[channels.cpu().numpy()]  # UNKNOWN_CHANNEL, -1, reads the last entry
    return label_map


def write_personal_model(path: Path, model: PersonalModel) -> None:
    """Write the model as one safetensors file, atomically. Raises UserError when the disk refuses."""
    tensors = {f"encoder.{key}": value for key, value in model.encoder.state_dict().items()}
    tensors |= {f"vectors.{key}": value for key, value in model.vectors.state_dict().items()}
    if model.probe is not None:
        tensors |= {f"probe.{key}": value for key, value in model.probe.state_dict().items()}
    if model.fine_probe is not None:
        tensors |= {f"fine_probe.{key}": value for key, value in model.fine_probe.state_dict().items()}
    if model.directions is not None:
        tensors["directions"] = model.directions
    if model.trust is not None:
        tensors["trust"] = model.trust
    if model.feature_colors is not None:
        tensors["feature_colors"] = model.feature_colors
    facts: dict[str, Any] = {
        "name": model.name,
        "generator": {"name": model.generator_name, "weights_sha256": model.generator_sha256},
        "palette": [{"id": c.class_id, "name": c.name, "color": list(c.color)} for c in model.palette.classes],
        "labels": {
            "kind": model.label_kind,
            "top_k": model.vectors.top_k,
            "threshold": model.vectors.threshold,
            "resolution": model.vectors.resolution,
        },
        "encoder": model.encoder.shape.as_dict(),
        "settings": model.settings,
        "weak_classes": model.weak_classes(),
    }
    write_tensors(path, KIND, VERSION, tensors, facts)


def read_personal_model(path: Path) -> PersonalModel:
    """Read a model, frozen, on the CPU.

    Raises:
        UserError: the file is missing, damaged, not a personal model, or of a newer or too old format.
    """
    tensors, facts = read_tensors(path, KIND, VERSION, REMEDY)
    if facts["format_version"] < VERSION:
        raise UserError(f"{path} was made by an older version of this program; train the model again.")
    try:
        return _assembled(tensors, facts)
    except (KeyError, TypeError, ValueError, RuntimeError, msgspec.ValidationError) as error:
        raise UserError(f"{path} is damaged (its parts do not fit together); {REMEDY}.") from error


class _GeneratorSchema(msgspec.Struct):
    name: str
    weights_sha256: str


class _LabelSchema(msgspec.Struct):
    kind: LabelKind
    resolution: int
    top_k: int
    threshold: float


class _HeaderSchema(msgspec.Struct):
    """The metadata in the header of a model's file, except its palette."""

    name: str
    generator: _GeneratorSchema
    labels: _LabelSchema
    encoder: EncoderShape
    settings: dict[str, Any] = {}


def _assembled(tensors: dict[str, Tensor], facts: dict[str, Any]) -> PersonalModel:
    def part(prefix: str) -> dict[str, Tensor]:
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    palette = palette_of(facts)
    header = msgspec.convert(facts, _HeaderSchema)
    labels = header.labels
    with torch.device("meta"):
        encoder = LayoutEncoder(header.encoder)
    encoder.load_state_dict(part("encoder."), assign=True)
    stored = part("vectors.")
    vectors = RepresentativeVectors(
        stored["vectors"], stored["channels"], palette.num_classes, labels.resolution, labels.kind, labels.top_k,
        labels.threshold,
    )  # fmt: skip
    return PersonalModel(
        name=header.name,
        generator_name=header.generator.name,
        generator_sha256=header.generator.weights_sha256,
        palette=palette,
        label_kind=labels.kind,
        vectors=freeze(vectors),
        probe=_stored_probe(part("probe.")),
        encoder=freeze(encoder),
        settings=header.settings,
        directions=tensors.get("directions"),
        feature_colors=tensors.get("feature_colors"),
        fine_probe=_stored_probe(part("fine_probe.")),
        trust=tensors.get("trust"),
    )


def _stored_probe(tensors: dict[str, Tensor]) -> LinearProbe | None:
    if not tensors:
        return None
    weights = {int(key.removeprefix("weight_")): value for key, value in tensors.items() if key != "bias"}
    return freeze(LinearProbe(weights, tensors["bias"]))


def label_directions(generator: Generator, transfer: LabelTransfer) -> Tensor:
    """Find the directions of whitened `w` along which classes move. Deterministic.

    Returns:
        float32 [k, D] on the CPU, orthonormal rows, the strongest first; k is the smallest that holds 99 % of the
        gradients' energy.
    """
    random = torch.Generator().manual_seed(0)
    rows = [
        _unit_gradient(generator, transfer, latents_of_seed(generator, seed, _TRUNCATION), random)
        for seed in range(_DIRECTION_FIRST_SEED, _DIRECTION_FIRST_SEED + _DIRECTION_PICTURES)
    ]
    _, strengths, directions = torch.linalg.svd(torch.stack(rows).double(), full_matrices=False)
    energy = strengths.square().cumsum(0)
    count = int(torch.searchsorted(energy, _ENERGY * energy[-1]).item()) + 1
    strongest: Tensor = directions[:count].float().contiguous()
    return strongest


def split_along(whitened: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Split coordinates [..., D] into the part along the directions and the rest; the two add up to `whitened`."""
    along = whitened @ directions.T @ directions
    return along, whitened - along


def _unit_gradient(generator: Generator, transfer: LabelTransfer, ws: Tensor, random: torch.Generator) -> Tensor:
    """Return a random gradient of the class probabilities, [D], of unit length, so that every picture counts alike."""
    latents = generator.latents
    coordinates = latents.whiten(ws[:1]).detach().requires_grad_()
    with torch.enable_grad():
        scores = transfer.scores(generator.label_features(generator.broadcast(latents.color(coordinates))))
        probabilities = scores.float().softmax(1)
        weights = torch.randn(probabilities.shape, generator=random).to(probabilities.device)
        (gradient,) = torch.autograd.grad((probabilities * weights).sum(), coordinates)
    flat = gradient[0].cpu()
    unit: Tensor = flat / torch.linalg.vector_norm(flat).clamp_min(1e-20)
    return unit


def learn_feature_colors(generator: Generator) -> Tensor:
    """Fit RGB to label features: ridge regression in float64 over all pixels of 64 random pictures. Deterministic.

    Returns:
        float32 [Z + 1, 3] on the CPU: `features · weights[:Z] + weights[Z]` is about RGB in [-1, 1], where features are
        the generator's `label_features` of side r = `feature_resolution`, and RGB its picture averaged to r².
    """
    side = generator.feature_resolution
    size = generator.feature_channels(side) + 1
    products = torch.zeros(size, size, dtype=torch.float64)
    answers = torch.zeros(size, 3, dtype=torch.float64)
    with torch.no_grad():
        for seed in range(_COLOR_FIRST_SEED, _COLOR_FIRST_SEED + _COLOR_PICTURES):
            ws = latents_of_seed(generator, seed, 1.0)[None]
            features = _pixel_rows(generator.label_features(ws)[side])
            inputs = torch.cat((features, features.new_ones(len(features), 1)), 1)
            picture = generator.draft(ws, draft_side(generator, side)).clamp(-1, 1)
            products += inputs.T @ inputs
            answers += inputs.T @ _pixel_rows(F.interpolate(picture, (side, side), mode="area"))
    ridge = _RIDGE * products.diagonal()
    ridge[-1] = 0  # the mean colour itself is not pulled to grey
    weights: Tensor = torch.linalg.solve(products + torch.diag(ridge + 1e-9), answers)
    return weights.float().contiguous()


@dataclass(frozen=True, eq=False)
class ClassColors:
    """The colours of the classes in N pictures: mean RGB [N, C, 3], area [N, C] in pixels."""

    mean: Tensor
    area: Tensor

    def where_it_has(self, min_area: float, otherwise: ClassColors) -> ClassColors:
        """Return these colours where a class has that area, as if it had it everywhere, and others elsewhere."""
        is_large = self.area >= min_area
        mean = torch.where(is_large[..., None], self.mean, otherwise.mean)
        return ClassColors(mean, torch.where(is_large, torch.inf, otherwise.area))

    def change_from(self, before: ClassColors) -> Tensor:
        """Return [N]: the squared change of the classes' mean colours, weighted by the area that a class has both
        times."""
        weights = torch.minimum(self.area, before.area) / self.area.sum(1, keepdim=True)
        change: Tensor = (weights * (self.mean - before.mean).square().sum(2)).sum(1)
        return change


class ColorReader:
    """Reads class scores and the classes' colours from label features at once."""

    def __init__(self, transfer: LabelTransfer, weights: Tensor) -> None:
        """Args: weights: as `learn_feature_colors` returns them."""
        self._transfer, self._weights = transfer, weights
        probe = transfer.probe if isinstance(transfer, ScribbleTransfer) else transfer
        # One convolution for both: its gradient costs half of what those of two cost.
        self._joint = probe.with_outputs(weights) if isinstance(probe, LinearProbe) else None

    def scores_and_colors(
        self, features: dict[int, Tensor], region: Tensor | None = None
    ) -> tuple[Tensor, ClassColors]:
        """Return scores [N, C, r, r] and colours, differentiable in the label features {r: [N, Z_r, r, r]}.

        Colours take the scores as constants: a colour is not to be kept by assigning its pixels to another class.

        Args:
            region: [1, 1, r, r] in [0, 1], how much each pixel counts for the colours (default: all alike).
        """
        if self._joint is not None:
            scores, colors = self._joint.scores(features).split((len(self._joint.bias) - 3, 3), 1)
        else:
            scores = self._transfer.scores(features)
            colors = F.conv2d(features[max(features)], self._weights[:-1].T[:, :, None, None], self._weights[-1])
        probabilities = scores.detach().softmax(1)
        if region is not None:
            probabilities = probabilities * region
        area = probabilities.sum((2, 3))
        mean = torch.einsum("nkhw,nchw->nkc", probabilities, colors) / (area[..., None] + _AREA_PRIOR)
        return scores, ClassColors(mean, area)


def _pixel_rows(maps: Tensor) -> Tensor:
    """Rearrange [1, Z, r, r] to float64 [r², Z] on the CPU."""
    return maps[0].flatten(1).T.cpu().double()
