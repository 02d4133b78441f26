"""A judge of pictures of faces: a small network that reads classes off finished pixels.

It shares neither features nor labels with a personal model. It was taught by pictures of the generator in random
styles, labelled by a probe of the faces that were labelled by hand for the model that ships, on features that
refinement never reads (scripts/fit_face_reader.py). Nothing is optimised on it. It is no network that was taught with
photographs: figures of it compare ways to make pictures, and say less about how a stranger sees one picture.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.evaluation.face_classes import READ_CLASSES
from smis_desktop.generators.generator import from_rgb8
from smis_desktop.generators.layers import freeze
from smis_desktop.resources import models_folder
from smis_desktop.storage.safetensors_file import read_tensors

INPUT_SIDE = 256
SIDE = 128
"""Cells a side."""
KIND, VERSION = "face-reader", 1
_WIDTHS = (32, 64, 128, 128)
"""Channels at 128², 64², 32² and 16²."""
_GROUPS = 8


class _Block(nn.Module):
    """A 3×3 convolution, group normalisation, and ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.norm = nn.GroupNorm(_GROUPS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.convolution(x)))


class FaceReader(nn.Module):
    """Reads `READ_CLASSES` off pictures: an encoder and a decoder with skip connections (U-Net, Ronneberger et al.
    2015, arXiv 1505.04597)."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third, fourth = _WIDTHS
        self.down = nn.ModuleList(
            [
                _Block(12, first),
                nn.Sequential(_Block(first, second, 2), _Block(second, second)),
                nn.Sequential(_Block(second, third, 2), _Block(third, third)),
                nn.Sequential(_Block(third, fourth, 2), _Block(fourth, fourth, 1, 2), _Block(fourth, fourth, 1, 4)),
            ]
        )
        self.narrow = nn.ModuleList(
            [nn.Conv2d(a, b, 1) for a, b in ((fourth, third), (third, second), (second, first))]
        )
        self.up = nn.ModuleList([_Block(third, third), _Block(second, second), _Block(first, first)])
        self.out = nn.Conv2d(first, len(READ_CLASSES), 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return class scores [N, C, SIDE, SIDE] of pictures [N, 3, INPUT_SIDE, INPUT_SIDE] in [-1, 1]."""
        x = F.pixel_unshuffle(pictures, 2)
        skipped: list[Tensor] = []
        for down in self.down:
            x = down(x)
            skipped.append(x)
        skipped.pop()
        for narrow, up in zip(self.narrow, self.up, strict=True):
            below = skipped.pop()
            x = up(F.interpolate(narrow(x), below.shape[2:], mode="bilinear") + below)
        scores: Tensor = self.out(x)
        return scores

    def probabilities(self, picture: np.ndarray) -> Tensor:
        """Return class probabilities [C, SIDE, SIDE] of a picture, uint8 [S, S, 3], averaged with those of its mirror
        image."""
        with torch.inference_mode():
            pixels = from_rgb8(picture, INPUT_SIDE).to(self.out.weight.device)
            both = self(torch.cat((pixels, pixels.flip(3)))).softmax(1)
            mean: Tensor = (both[0] + both[1].flip(2)) / 2
            return mean

    def read(self, picture: np.ndarray) -> np.ndarray:
        """Return what a picture, uint8 [S, S, 3], shows: uint8 [SIDE, SIDE], positions in `READ_CLASSES`."""
        found: np.ndarray = self.probabilities(picture).argmax(0).to(torch.uint8).cpu().numpy()
        return found


def face_reader_path() -> Path:
    """Return the path of the network that ships."""
    return models_folder() / "face-reader.safetensors"


def open_face_reader(path: Path | None = None) -> FaceReader:
    """Open the network that ships, or that at `path`, frozen, on the CPU. Raises UserError."""
    tensors, _ = read_tensors(path or face_reader_path(), KIND, VERSION, "install the program again")
    reader = FaceReader()
    reader.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return freeze(reader)
