"""Translates the two published layouts of StyleGAN2's tensors to that of `smis_desktop.generators.stylegan2`.

Both keep weights as the equalised learning rate trains them (Karras et al. 2018, arXiv 1710.10196, section 4.1): gains
of 1/√fan-in, and of the mapping's own learning rate, are applied at run time. Here they are multiplied in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from smis_desktop.generators.checkpoints.networks import Network
from smis_desktop.generators.checkpoints.pickle_machine import Refused

Weights = dict[str, np.ndarray]
_MAPPING_RATE = 0.01
_NOISE_SEED = 0
_ALIAS_FREE = ("synthesis.input.freqs", "synthesis.input.weight", "synthesis.input.affine.weight")


@dataclass(frozen=True)
class Imported:
    """A translated generator.

    weights: StyleGAN2's tensors without the statistics. num_classes: 0 if it is not conditional. notes: sentences about
    what could not be imported exactly.
    """

    weights: Weights
    num_classes: int
    notes: tuple[str, ...]


class ClassNeeded(Exception):
    """Raised when the checkpoint is conditional and no class was chosen."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(f"holds a generator of {num_classes} classes")
        self.num_classes = num_classes


def translate(network: Network, class_index: int | None) -> Imported:
    """Translate the tensors of a checkpoint from either layout.

    Args:
        class_index: the class of a conditional generator whose pictures to make.

    Raises:
        ClassNeeded: the generator is conditional and no class is given.
        Refused: it is of another architecture.
        KeyError: a tensor is missing.
    """
    tensors = network.tensors
    if any(key in tensors for key in _ALIAS_FREE) or any(re.match(r"synthesis\.L\d+_", key) for key in tensors):
        raise Refused("holds StyleGAN3 (alias-free), which this program does not run; StyleGAN2 can be imported")
    if "synthesis.b4.const" in tensors:
        return _Nvidia(network).translated(class_index)
    if "input.input" in tensors and "conv1.conv.weight" in tensors:
        if class_index is not None:
            raise Refused("holds a generator that has no classes; leave out the class")
        return _Rosinality(network).translated()
    raise Refused("holds no StyleGAN2 generator, or one in an unknown layout")


class _Reader:
    """Reads tensors by name, as float32, and checks their shapes."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def has(self, name: str) -> bool:
        return name in self.network.tensors

    def take(self, name: str, *shape: int | None) -> np.ndarray:
        """Read a tensor and check its shape; None in the shape allows any length."""
        array = self.network.tensors[name].array()
        if len(array.shape) != len(shape) or any(s not in (None, n) for s, n in zip(shape, array.shape, strict=True)):
            raise Refused(f"holds an unknown kind of StyleGAN2 ({name} has another shape)")
        return array


class _Rosinality(_Reader):
    """The tensor names of rosinality's PyTorch version, which much research builds on (`g_ema`, `latent_avg`)."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self._has_drawn_noise = False

    def translated(self) -> Imported:
        constant = self.take("input.input", 1, None, 4, 4)
        w_dim = self.take("conv1.conv.modulation.weight", None, None).shape[1]
        weights: Weights = {"constant": constant, "limit": np.array(np.inf, np.float32)}
        for number in _numbers_in(self.network.tensors, r"style\.(\d+)\.weight", first=1):
            gain = _MAPPING_RATE / np.sqrt(w_dim)
            weights[f"map.layers.{number - 1}.weight"] = self.take(f"style.{number}.weight", w_dim, w_dim) * gain
            weights[f"map.layers.{number - 1}.bias"] = self.take(f"style.{number}.bias", w_dim) * _MAPPING_RATE
        weights |= self._conv("conv1", "first", w_dim, 4, 0)
        weights |= self._rgb("to_rgb1", "first_rgb", w_dim)
        count = len(_numbers_in(self.network.tensors, r"to_rgbs\.(\d+)\.bias"))
        for i in range(count):
            for half in (0, 1):
                number = 2 * i + half
                weights |= self._conv(f"convs.{number}", f"blocks.{i}.conv{half + 1}", w_dim, 8 * 2**i, number + 1)
            weights |= self._rgb(f"to_rgbs.{i}", f"blocks.{i}.rgb", w_dim)
        kernels = ("convs.0.conv.blur.kernel", "to_rgbs.0.upsample.kernel")
        weights["filter"] = _filter(self, (name for name in kernels if self.has(name)))
        if self.network.average is not None:
            weights["centre"] = self.network.average.array().reshape(-1)
        notes = ("The file holds no noise; it was drawn at random.",) if self._has_drawn_noise else ()
        return Imported(weights, 0, notes)

    def _conv(self, source: str, target: str, w_dim: int, side: int, number: int) -> Weights:
        weight = self.take(f"{source}.conv.weight", 1, None, None, 3, 3)[0]
        strength = self.take(f"{source}.noise.weight", 1)
        if self.has(f"noises.noise_{number}"):
            noise = self.take(f"noises.noise_{number}", 1, 1, side, side)
        else:
            # Files of its first months keep none, and their pictures were made with fresh noise each time.
            self._has_drawn_noise = True
            noise = np.random.default_rng((_NOISE_SEED, number)).standard_normal((1, 1, side, side), np.float32)
        return {
            f"{target}.weight": weight / np.sqrt(weight[0].size),
            f"{target}.bias": self.take(f"{source}.activate.bias", len(weight)),
            f"{target}.noise": noise * strength,
            **_affine(self, f"{source}.conv.modulation", target, weight.shape[1], w_dim),
        }

    def _rgb(self, source: str, target: str, w_dim: int) -> Weights:
        weight = self.take(f"{source}.conv.weight", 1, 3, None, 1, 1)[0]
        return {
            f"{target}.weight": weight / np.sqrt(weight[0].size),
            f"{target}.bias": self.take(f"{source}.bias", 1, 3, 1, 1).reshape(3),
            **_affine(self, f"{source}.conv.modulation", target, weight.shape[1], w_dim),
        }


class _Nvidia(_Reader):
    """The tensor names of NVIDIA's PyTorch versions: StyleGAN2-ADA, and the StyleGAN2 of the StyleGAN3 repository."""

    def translated(self, class_index: int | None) -> Imported:
        w_dim = self.take("synthesis.b4.conv1.affine.weight", None, None).shape[1]
        sides = _numbers_in(self.network.tensors, r"synthesis\.b(\d+)\.conv1\.weight", first=None)
        if sides != [4 * 2**i for i in range(len(sides))]:
            raise Refused("holds an unknown kind of StyleGAN2 (a resolution is missing)")
        self._require_known_variant()
        mapping, num_classes = self._mapping(w_dim, class_index)
        constant = self.take("synthesis.b4.const", None, 4, 4)[None]
        weights: Weights = {"constant": constant, "limit": np.array(self._limit(), np.float32), **mapping}
        weights |= self._conv("synthesis.b4.conv1", "first", w_dim, 4)
        weights |= self._rgb("synthesis.b4.torgb", "first_rgb", w_dim)
        for i, side in enumerate(sides[1:]):
            weights |= self._conv(f"synthesis.b{side}.conv0", f"blocks.{i}.conv1", w_dim, side)
            weights |= self._conv(f"synthesis.b{side}.conv1", f"blocks.{i}.conv2", w_dim, side)
            weights |= self._rgb(f"synthesis.b{side}.torgb", f"blocks.{i}.rgb", w_dim)
        names = [f"synthesis.b{side}{layer}.resample_filter" for side in sides[1:] for layer in ("", ".conv0")]
        weights["filter"] = _filter(self, names)
        if self.has("mapping.w_avg"):
            weights["centre"] = self.take("mapping.w_avg", w_dim)
        return Imported(weights, num_classes, ())

    def _require_known_variant(self) -> None:
        for name, fact in self.network.facts.items():
            kind = name.rpartition(".")[2]
            if kind == "architecture" and fact != "skip" and not name.startswith("synthesis.b4."):
                raise Refused(f"holds StyleGAN2 of the architecture {fact!r}; only skip connections are supported")
            if kind == "activation" and fact not in ("lrelu", "linear"):
                raise Refused(f"holds StyleGAN2 with the activation {fact!r}; only leaky ReLU is supported")
        if not self.has("synthesis.b4.torgb.weight"):
            raise Refused("holds StyleGAN2 without skip connections; only those are supported")

    def _limit(self) -> float:
        found = {
            _clamp(fact)
            for name, fact in self.network.facts.items()
            if name.rpartition(".")[2] == "conv_clamp" and name.startswith(("synthesis.", "conv_clamp")) and fact
        }
        if len(found) > 1:
            raise Refused("holds StyleGAN2 with clamps that differ from layer to layer, which is not supported")
        return found.pop() if found else np.inf

    def _mapping(self, w_dim: int, class_index: int | None) -> tuple[Weights, int]:
        count = len(_numbers_in(self.network.tensors, r"mapping\.fc(\d+)\.weight"))
        weights: Weights = {}
        num_classes = 0
        for i in range(count):
            name = f"mapping.fc{i}"
            weight, bias = self.take(f"{name}.weight", w_dim, None), self.take(f"{name}.bias", w_dim)
            rate = self.network.facts.get(f"{name}.bias_gain", _MAPPING_RATE)
            if not isinstance(rate, int | float):
                raise Refused("is damaged (a learning rate in it is not a number)")
            weight, bias = weight * (rate / np.sqrt(weight.shape[1])), bias * rate
            if i == 0 and self.has("mapping.embed.weight"):
                # A class is a constant input of the first layer: once it is chosen, it is part of the bias.
                embedded, num_classes = self._embedded(class_index)
                bias = bias + weight[:, -len(embedded) :] @ embedded
                weight = weight[:, : -len(embedded)]
            if weight.shape != (w_dim, w_dim):
                raise Refused("holds StyleGAN2 whose z and w have different lengths, which is not supported")
            weights[f"map.layers.{i}.weight"], weights[f"map.layers.{i}.bias"] = weight, bias
        if num_classes == 0 and class_index is not None:
            raise Refused("holds a generator that has no classes; leave out the class")
        return weights, num_classes

    def _embedded(self, class_index: int | None) -> tuple[np.ndarray, int]:
        table = self.take("mapping.embed.weight", None, None)
        num_classes = table.shape[1]
        if class_index is None:
            raise ClassNeeded(num_classes)
        if not 0 <= class_index < num_classes:
            raise Refused(f"has the classes 0 to {num_classes - 1}, and no class {class_index}")
        embedded = table[:, class_index] / np.sqrt(num_classes) + self.take("mapping.embed.bias", len(table))
        return embedded / np.sqrt(np.mean(embedded**2) + 1e-8), num_classes

    def _conv(self, source: str, target: str, w_dim: int, side: int) -> Weights:
        weight = self.take(f"{source}.weight", None, None, 3, 3)
        noise = np.zeros((1, 1, side, side), np.float32)
        if self.has(f"{source}.noise_const"):
            noise = (self.take(f"{source}.noise_const", side, side) * self.take(f"{source}.noise_strength"))[None, None]
        return {
            f"{target}.weight": weight,
            f"{target}.bias": self.take(f"{source}.bias", len(weight)),
            f"{target}.noise": noise,
            **_affine(self, f"{source}.affine", target, weight.shape[1], w_dim),
        }

    def _rgb(self, source: str, target: str, w_dim: int) -> Weights:
        weight = self.take(f"{source}.weight", None, None, 1, 1)
        if len(weight) != 3:
            raise Refused(f"holds a generator of {len(weight)} colour channels; only RGB is supported")
        return {
            f"{target}.weight": weight / np.sqrt(weight[0].size),
            f"{target}.bias": self.take(f"{source}.bias", 3),
            **_affine(self, f"{source}.affine", target, weight.shape[1], w_dim),
        }


def _affine(reader: _Reader, source: str, target: str, channels: int, w_dim: int) -> Weights:
    weight = reader.take(f"{source}.weight", channels, w_dim)
    return {
        f"{target}.affine.weight": weight / np.sqrt(w_dim),
        f"{target}.affine.bias": reader.take(f"{source}.bias", channels),
    }


def _clamp(fact: float | str) -> float:
    """Return a layer's clamp: a number, or text in the metadata of `.safetensors`, which holds only text."""
    try:
        limit = float(fact)
    except ValueError:
        limit = 0.0
    if not 0 < limit < np.inf:
        raise Refused(f"gives conv_clamp as {fact!r}; make it a number above 0 (usually 256), or leave it out")
    return limit


def _filter(reader: _Reader, names: Iterable[str]) -> np.ndarray:
    """Return the FIR filter that all layers share, scaled to a sum of 1; the published one if the file has none."""
    found: np.ndarray | None = None
    for name in names:
        if not reader.has(name):
            continue
        kernel = reader.network.tensors[name].array()
        if kernel.ndim == 1:
            kernel = kernel[:, None] * kernel[None, :]
        taps = len(kernel)
        if kernel.shape != (taps, taps) or taps % 2 or not 2 <= taps <= 16 or kernel.sum() <= 0:
            raise Refused("holds StyleGAN2 with a filter of odd length, which is not supported")
        kernel = kernel / kernel.sum()
        if found is not None and not (found.shape == kernel.shape and np.allclose(found, kernel, atol=1e-6)):
            raise Refused("holds StyleGAN2 with filters that differ from layer to layer, which is not supported")
        found = kernel
    if found is None:
        row = np.array([1, 3, 3, 1], np.float32) / 8
        found = row[:, None] * row[None, :]
    return found


def _numbers_in(names: Iterable[str], pattern: str, first: int | None = 0) -> list[int]:
    """Return the numbers in names that match, ascending. Raises Refused for gaps after `first`, unless that is None."""
    found = sorted({int(match.group(1)) for name in names if (match := re.fullmatch(pattern, name))})
    if first is not None and found != list(range(first, first + len(found))):
        raise Refused("holds an unknown kind of StyleGAN2 (a layer is missing)")
    return found
