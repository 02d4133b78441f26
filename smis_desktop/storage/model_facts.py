"""What a personal model's file says of itself, read and renamed without the networks (and without torch)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smis_desktop.storage.safetensors_file import read_facts, read_tensors, write_tensors

KIND, VERSION = "personal-model", 3
"""2: labels are read from the first convolution at the feature resolution; coarse and middle slots share one `w`.
3: the encoder has fully connected layers."""
SUFFIX = ".smismodel"
REMEDY = "choose a .smismodel file, or train the model again"


def read_model_facts(path: Path) -> dict[str, Any]:
    """What the file says of itself. Raises UserError when it is missing, damaged, another kind or of a newer format."""
    return read_facts(path, KIND, VERSION, REMEDY)


def rename_model(path: Path, name: str) -> None:
    """Another name, everything else as it is. Raises UserError as `read_model_facts` does, or for a full disk."""
    rewrite_model_facts(path, path, name=name)


def rewrite_model_facts(source: Path, target: Path, **changed: str) -> None:
    """Writes the model with other facts, the tensors as they are. Raises UserError as `rename_model` does."""
    tensors, facts = read_tensors(source, KIND, VERSION, REMEDY)
    write_tensors(target, KIND, VERSION, tensors, {**facts, **changed})
