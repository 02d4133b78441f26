"""A personal model: what the generator needs in order to be painted with in one's own classes; and its `.smismodel`
file."""

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
from smis_desktop.generators.generator import Generator
from smis_desktop.generators.layers import freeze
from smis_desktop.personal_model.encoder import EncoderShape, LayoutEncoder
from smis_desktop.personal_model.label_transfer import LabelTransfer, LinearProbe, RepresentativeVectors
from smis_desktop.personal_model.library import KIND, REMEDY, VERSION
from smis_desktop.personal_model.scribbles import ScribbleTransfer
from smis_desktop.storage.safetensors_file import palette_of, read_tensors, write_tensors

_MAX_SCORE_SIDE = 1024


@dataclass(frozen=True, eq=False)
class PersonalModel:
    """What was learned from the shots.

    settings: how, for the record; JSON-able. directions: float32 [k, D], see `label_directions`. feature_colors:
    float32 [Z + 1, 3], see `learn_feature_colors`. The last two are None in older models.
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
        """The label transfer that the encoder was trained on.

        It is the probe where there is one, for scribbles together with the vectors, else the vectors alone.
        """
        if self.probe is None:
            return self.vectors
        return ScribbleTransfer(self.probe, self.vectors) if self.label_kind == "sparse" else self.probe

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

    With a probe the class scores are enlarged and then compared, so that outlines are smooth. Models of dense labels
    give every pixel a class, those of scribbles every pixel that is similar enough. Those of landmarks turn each
    labelled cell of the feature map into a square. All else is 0 = unknown, as in the labels that they learn from.
    """
    transfer = model.transfer
    with torch.inference_mode():
        features = generator.label_features(ws[None].to(generator.device))
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
    if model.directions is not None:
        tensors["directions"] = model.directions
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


class _GeneratorFacts(msgspec.Struct):
    name: str
    weights_sha256: str


class _LabelFacts(msgspec.Struct):
    kind: LabelKind
    resolution: int
    top_k: int
    threshold: float


class _Facts(msgspec.Struct):
    """The metadata in the header of a model's file, except its palette."""

    name: str
    generator: _GeneratorFacts
    labels: _LabelFacts
    encoder: EncoderShape
    settings: dict[str, Any] = {}


def _assembled(tensors: dict[str, Tensor], facts: dict[str, Any]) -> PersonalModel:
    def part(prefix: str) -> dict[str, Tensor]:
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    palette = palette_of(facts)
    stored_facts = msgspec.convert(facts, _Facts)
    labels = stored_facts.labels
    with torch.device("meta"):
        encoder = LayoutEncoder(stored_facts.encoder)
    encoder.load_state_dict(part("encoder."), assign=True)
    stored = part("vectors.")
    vectors = RepresentativeVectors(
        stored["vectors"], stored["channels"], palette.num_classes, labels.resolution, labels.kind, labels.top_k,
        labels.threshold,
    )  # fmt: skip
    probe_tensors = part("probe.")
    probe = None
    if probe_tensors:
        weights = {int(key.removeprefix("weight_")): value for key, value in probe_tensors.items() if key != "bias"}
        probe = LinearProbe(weights, probe_tensors["bias"])
    return PersonalModel(
        name=stored_facts.name,
        generator_name=stored_facts.generator.name,
        generator_sha256=stored_facts.generator.weights_sha256,
        palette=palette,
        label_kind=labels.kind,
        vectors=freeze(vectors),
        probe=None if probe is None else freeze(probe),
        encoder=freeze(encoder),
        settings=stored_facts.settings,
        directions=tensors.get("directions"),
        feature_colors=tensors.get("feature_colors"),
    )
