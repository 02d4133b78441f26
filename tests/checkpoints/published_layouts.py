"""A small StyleGAN2 written as the two published versions write theirs: names, gains and containers."""

from __future__ import annotations

import argparse
import io
import math
import pickle
import sys
import types
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from smis_desktop.generators.stylegan2 import StyleGAN2

RATE = 0.01


def rosinality_state(generator: StyleGAN2) -> dict[str, Tensor]:
    """What `g_ema` holds."""
    p = generator.state_dict()
    d = generator.w_dim
    state = {"input.input": p["constant"]}
    for i in range(len(generator.map.layers)):
        state[f"style.{i + 1}.weight"] = p[f"map.layers.{i}.weight"] * math.sqrt(d) / RATE
        state[f"style.{i + 1}.bias"] = p[f"map.layers.{i}.bias"] / RATE

    def affine(ours: str, theirs: str) -> None:
        state[f"{theirs}.conv.modulation.weight"] = p[f"{ours}.affine.weight"] * math.sqrt(d)
        state[f"{theirs}.conv.modulation.bias"] = p[f"{ours}.affine.bias"]
        weight = p[f"{ours}.weight"]
        state[f"{theirs}.conv.weight"] = weight[None] * math.sqrt(weight[0].numel())

    def conv(ours: str, theirs: str, number: int) -> None:
        affine(ours, theirs)
        state[f"{theirs}.activate.bias"] = p[f"{ours}.bias"]
        state[f"{theirs}.noise.weight"] = torch.tensor([0.5])
        state[f"noises.noise_{number}"] = p[f"{ours}.noise"] / 0.5
        if number % 2:
            state[f"{theirs}.conv.blur.kernel"] = 4 * p["filter"]

    def rgb(ours: str, theirs: str, up: bool) -> None:
        affine(ours, theirs)
        state[f"{theirs}.bias"] = p[f"{ours}.bias"].view(1, 3, 1, 1)
        if up:
            state[f"{theirs}.upsample.kernel"] = 4 * p["filter"]

    conv("first", "conv1", 0)
    rgb("first_rgb", "to_rgb1", up=False)
    for i in range(len(generator.blocks)):
        conv(f"blocks.{i}.conv1", f"convs.{2 * i}", 2 * i + 1)
        conv(f"blocks.{i}.conv2", f"convs.{2 * i + 1}", 2 * i + 2)
        rgb(f"blocks.{i}.rgb", f"to_rgbs.{i}", up=True)
    return {key: value.clone() for key, value in state.items()}


def rosinality_file(generator: StyleGAN2, as_zip: bool = True, left_out: str = "") -> bytes:
    """A whole checkpoint, with what training leaves beside the network."""
    parameter = nn.Parameter(torch.ones(3))
    adam = torch.optim.Adam([parameter])
    parameter.grad = torch.ones(3)
    adam.step()
    state = {key: value for key, value in rosinality_state(generator).items() if not key.startswith(left_out or "-")}
    checkpoint = {
        "g_ema": state,
        "g_optim": adam.state_dict(),
        "args": argparse.Namespace(size=generator.img_resolution, path="/home/somebody", r1=10.0, mixing=None),
        "latent_avg": generator.centre,
    }
    file = io.BytesIO()
    torch.save(checkpoint, file, _use_new_zipfile_serialization=as_zip)
    return file.getvalue()


def nvidia_state(generator: StyleGAN2) -> dict[str, Tensor]:
    """Parameters and buffers of `G_ema` by name. Weights of the finer half lie channels last, as trained in float16."""
    p = generator.state_dict()
    d = generator.w_dim
    state = {"synthesis.b4.const": p["constant"][0], "mapping.w_avg": p["centre"]}
    for i in range(len(generator.map.layers)):
        state[f"mapping.fc{i}.weight"] = p[f"map.layers.{i}.weight"] * math.sqrt(d) / RATE
        state[f"mapping.fc{i}.bias"] = p[f"map.layers.{i}.bias"] / RATE

    def layer(ours: str, theirs: str, side: int, gain: float) -> None:
        weight = p[f"{ours}.weight"] * gain
        order = torch.channels_last if 2 * side > generator.img_resolution else torch.contiguous_format
        state[f"{theirs}.weight"] = weight.contiguous(memory_format=order)
        state[f"{theirs}.bias"] = p[f"{ours}.bias"]
        state[f"{theirs}.affine.weight"] = p[f"{ours}.affine.weight"] * math.sqrt(d)
        state[f"{theirs}.affine.bias"] = p[f"{ours}.affine.bias"]
        if gain == 1.0:
            state[f"{theirs}.noise_const"] = p[f"{ours}.noise"][0, 0] / 0.5
            state[f"{theirs}.noise_strength"] = torch.tensor(0.5)
            state[f"{theirs}.resample_filter"] = p["filter"]

    def rgb(ours: str, theirs: str, side: int) -> None:
        layer(ours, theirs, side, math.sqrt(p[f"{ours}.weight"].shape[1]))

    layer("first", "synthesis.b4.conv1", 4, 1.0)
    rgb("first_rgb", "synthesis.b4.torgb", 4)
    for i in range(len(generator.blocks)):
        side = 8 * 2**i
        layer(f"blocks.{i}.conv1", f"synthesis.b{side}.conv0", side, 1.0)
        layer(f"blocks.{i}.conv2", f"synthesis.b{side}.conv1", side, 1.0)
        rgb(f"blocks.{i}.rgb", f"synthesis.b{side}.torgb", side)
        state[f"synthesis.b{side}.resample_filter"] = p["filter"]
    return state


def conditional_state(generator: StyleGAN2, classes: int, seed: int = 0) -> dict[str, Tensor]:
    """The same with a class as a second input of the mapping."""
    random = torch.Generator().manual_seed(seed)
    state, d = nvidia_state(generator), generator.w_dim
    state["mapping.embed.weight"] = torch.randn(d, classes, generator=random)
    state["mapping.embed.bias"] = torch.randn(d, generator=random)
    old = state["mapping.fc0.weight"] * math.sqrt(2)  # twice the inputs, another gain
    state["mapping.fc0.weight"] = torch.cat((old, torch.randn(d, d, generator=random) / RATE), 1)
    return state


def stylegan3_file(radial: bool) -> bytes:
    """A network pickle of the alias-free generator (Karras et al. 2021, arXiv 2106.12423): layers and tensors as config
    R (radial) or T has them, narrower. Its layers keep rates and sizes as NumPy's numbers."""
    kernel = 1 if radial else 3
    layers = [(36, 8)] * 2 + [(52, 8)] * 2 + [(84, 8)] + [(148, 8)] * 2 + [(276, 6), (276, 4), (532, 4), (1044, 4)]
    layers += [(1044, 4), (1044, 4), (1024, 4), (1024, 3)]
    state = {
        "mapping.w_avg": torch.zeros(16),
        "mapping.fc0.weight": torch.ones(16, 16),
        "mapping.fc0.bias": torch.ones(16),
    }
    state |= {"mapping.fc1.weight": torch.ones(16, 16), "mapping.fc1.bias": torch.ones(16)}
    state |= {
        "synthesis.input.weight": torch.ones(8, 8),
        "synthesis.input.transform": torch.eye(3),
        "synthesis.input.freqs": torch.ones(8, 2),
        "synthesis.input.phases": torch.ones(8),
        "synthesis.input.affine.weight": torch.ones(4, 16),
        "synthesis.input.affine.bias": torch.ones(4),
    }
    facts: dict[str, Any] = {}
    inputs = 8
    for i, (side, outputs) in enumerate(layers):
        name, size = f"synthesis.L{i}_{side}_{outputs}", 1 if i == len(layers) - 1 else kernel
        state |= {
            f"{name}.weight": torch.ones(outputs, inputs, size, size),
            f"{name}.bias": torch.ones(outputs),
            f"{name}.magnitude_ema": torch.ones([]),
            f"{name}.up_filter": torch.ones(12),
            f"{name}.down_filter": torch.ones(12, 12) if radial and i < len(layers) - 2 else torch.ones(12),
            f"{name}.affine.weight": torch.ones(inputs, 16),
            f"{name}.affine.bias": torch.ones(inputs),
        }
        facts |= {f"{name}.in_sampling_rate": 2 * side, f"{name}.in_cutoff": np.float64(side / 2)}
        facts |= {f"{name}.in_size": np.array([side, side]), f"{name}.use_radial_filters": radial}
        inputs = outputs
    return nvidia_file(state, facts)


class Persistent:
    """An object that pickles as one of NVIDIA's persistent classes does, with source text and all."""

    def __init__(self, class_name: str, state: dict[str, Any], source: str = "import torch\n") -> None:
        self._meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (self._meta,), None


def nvidia_file(
    state: dict[str, Tensor],
    facts: dict[str, Any] | None = None,
    source: str = "import torch\n",
    extra: dict[str, Any] | None = None,
    protocol: int = 4,
) -> bytes:
    """A network pickle. facts: attributes of layers, by dotted name; source: the text that its classes carry."""
    tree: dict[str, Any] = {}
    for name, tensor in state.items():
        *path, leaf = name.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[leaf] = tensor
    network = _module(tree, facts or {}, "", source)
    with persistence_installed():
        return pickle.dumps({"G": None, "D": None, "G_ema": network, **(extra or {})}, protocol=protocol)


def _module(tree: dict[str, Any], facts: dict[str, Any], path: str, source: str) -> Persistent:
    buffers = (
        "noise_const", "resample_filter", "w_avg",
        "transform", "freqs", "phases", "magnitude_ema", "up_filter", "down_filter",
    )  # fmt: skip
    state: dict[str, Any] = {
        "training": False,
        "_parameters": OrderedDict(),
        "_buffers": OrderedDict(),
        "_non_persistent_buffers_set": set(),
        "_forward_hooks": OrderedDict(),
        "_modules": OrderedDict(),
    }
    for name, value in tree.items():
        if isinstance(value, dict):
            state["_modules"][name] = _module(value, facts, f"{path}{name}.", source)
        elif name in buffers:
            state["_buffers"][name] = value
        else:
            state["_parameters"][name] = nn.Parameter(value, requires_grad=False)
    if "fc" in path:
        state |= {"bias_gain": RATE, "activation": "lrelu"}
    state |= {key.removeprefix(path): fact for key, fact in facts.items() if key.rpartition(".")[0] == path.rstrip(".")}
    return Persistent("Network", state, source)


class persistence_installed:
    """While it lasts there is a module of the name that NVIDIA's pickles refer to, so that they can be written."""

    def __enter__(self) -> None:
        def _reconstruct_persistent_obj(meta: dict[str, Any]) -> object:
            raise AssertionError("only written, never read")

        package, module = types.ModuleType("torch_utils"), types.ModuleType("torch_utils.persistence")
        _reconstruct_persistent_obj.__module__ = "torch_utils.persistence"
        _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
        module._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
        sys.modules["torch_utils"], sys.modules["torch_utils.persistence"] = package, module

    def __exit__(self, *_: object) -> None:
        del sys.modules["torch_utils"], sys.modules["torch_utils.persistence"]
