"""Finds the generator in a checkpoint: its tensors by name, and its layers' settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from smis_desktop.generators.checkpoints.pickle_machine import Call, Name, Refused
from smis_desktop.generators.checkpoints.stored_tensors import Storages, StoredTensor

_PERSISTENT = Name("torch_utils.persistence", "_reconstruct_persistent_obj")
_MAX_DEPTH = 12
_MAX_MODULES = 5_000
_KEYS = ("g_ema", "G_ema")


@dataclass
class Network:
    """A network's tensors by dotted name, and its layers' numeric and text attributes:
    `synthesis.b8.conv0.conv_clamp`."""

    tensors: dict[str, StoredTensor] = field(default_factory=dict)
    facts: dict[str, int | float | str | bool | None] = field(default_factory=dict)
    average: StoredTensor | None = None
    """Mean of `w`, where it is stored next to the network."""
    modules: int = 0


def find_generator(root: Any, storages: Storages) -> Network:
    """Return a checkpoint's averaged generator, or the tensors at its top level. Raises Refused if there are none."""
    if not isinstance(root, dict):
        raise Refused("holds no generator (neither g_ema nor G_ema is in it)")
    network = Network()
    holder = next((root[name] for name in _KEYS if name in root), root)
    if isinstance(holder, dict):
        prefix = next((f"{name}." for name in _KEYS if any(_starts(key, f"{name}.") for key in holder)), "")
        for key, value in holder.items():
            tensor = value if isinstance(value, StoredTensor) else storages.tensor(value)
            if tensor is not None and isinstance(key, str):
                network.tensors[key.removeprefix(prefix)] = tensor
        metadata = holder.get("__metadata__")
        if isinstance(metadata, dict):
            network.facts |= {str(key): value for key, value in metadata.items() if isinstance(value, str)}
    else:
        _take_module(network, "", holder, storages, 0)
    network.average = network.tensors.pop("latent_avg", None) or storages.tensor(root.get("latent_avg"))
    if not network.tensors:
        raise Refused("holds no generator (neither g_ema nor G_ema is in it)")
    return network


def _starts(key: object, prefix: str) -> bool:
    return isinstance(key, str) and key.startswith(prefix)


def _take_module(network: Network, path: str, value: Any, storages: Storages, depth: int) -> None:
    """Read the module in one of NVIDIA's persistent objects, without the source code that it holds."""
    network.modules += 1
    if depth > _MAX_DEPTH or network.modules > _MAX_MODULES:
        raise Refused("holds more nested modules than any generator has")
    if not (isinstance(value, Call) and value.of == _PERSISTENT and len(value.arguments) == 1):
        raise Refused("holds a generator that NVIDIA's code did not write")
    (meta,) = value.arguments
    state = meta.get("state") if isinstance(meta, dict) else None
    if not isinstance(state, dict) or not isinstance(meta.get("class_name"), str):
        raise Refused("holds a generator that NVIDIA's code did not write")
    network.facts[f"{path}class"] = meta["class_name"]
    for name, fact in state.items():
        if isinstance(name, str) and (fact is None or isinstance(fact, int | float | str)):
            network.facts[f"{path}{name}"] = fact
    for part in ("_parameters", "_buffers"):
        for name, kept in _items(state, part):
            tensor = storages.tensor(kept)
            if tensor is not None:
                network.tensors[f"{path}{name}"] = tensor
    for name, module in _items(state, "_modules"):
        if module is not None:
            _take_module(network, f"{path}{name}.", module, storages, depth + 1)


def _items(state: dict[Any, Any], part: str) -> list[tuple[str, Any]]:
    found = state.get(part)
    if not isinstance(found, dict):
        raise Refused("holds a generator that NVIDIA's code did not write")
    return [(name, value) for name, value in found.items() if isinstance(name, str)]
