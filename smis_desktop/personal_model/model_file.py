"""Personal models as files: one `.smismodel`, a safetensors file with everything needed to use it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from smis_desktop.errors import UserError
from smis_desktop.generators.frozen_layers import freeze
from smis_desktop.personal_model.encoder import EncoderShape, LayoutEncoder
from smis_desktop.personal_model.library import KIND, REMEDY, VERSION
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.personal_model.probe import LinearProbe
from smis_desktop.personal_model.representative_vectors import RepresentativeVectors
from smis_desktop.storage.safetensors_file import palette_of, read_tensors, write_tensors


def write_personal_model(path: Path, model: PersonalModel) -> None:
    """Writes the model, atomically. Raises UserError when the disk refuses."""
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
    """Reads a model, frozen, on the CPU.

    Raises UserError when the file is missing, damaged, not a personal model, or of a newer format.
    """
    tensors, facts = read_tensors(path, KIND, VERSION, REMEDY)
    if facts["format_version"] < VERSION:
        raise UserError(f"{path} was made by an older version of this program; train the model again.")

    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    try:
        palette = palette_of(facts)
        labels = facts["labels"]
        shape = EncoderShape(**{**facts["encoder"], "slot_groups": tuple(facts["encoder"]["slot_groups"])})
        with torch.device("meta"):
            encoder = LayoutEncoder(shape)
        encoder.load_state_dict(part("encoder."), assign=True)
        found = part("vectors.")
        vectors = RepresentativeVectors(
            found["vectors"], found["channels"], palette.num_classes, labels["resolution"], labels["kind"],
            labels["top_k"], labels["threshold"],
        )  # fmt: skip
        probe_tensors = part("probe.")
        probe = None
        if probe_tensors:
            weights = {int(key.removeprefix("weight_")): value for key, value in probe_tensors.items() if key != "bias"}
            probe = LinearProbe(weights, probe_tensors["bias"])
        return PersonalModel(
            name=str(facts["name"]),
            generator_name=str(facts["generator"]["name"]),
            generator_sha256=str(facts["generator"]["weights_sha256"]),
            palette=palette,
            label_kind=labels["kind"],
            vectors=freeze(vectors),
            probe=None if probe is None else freeze(probe),
            encoder=freeze(encoder),
            settings=dict(facts.get("settings", {})),
            directions=tensors.get("directions"),
            feature_colors=tensors.get("feature_colors"),
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is damaged (its parts do not fit together); {REMEDY}.") from error
