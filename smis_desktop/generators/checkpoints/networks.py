"""The generator in a checkpoint: its tensors by name, and what is said of its layers beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from smis_desktop.generators.checkpoints.pickle_machine import Call, Name, Refused
from smis_desktop.generators.checkpoints.stored_tensors import Storages, StoredTensor

_PERSISTENT = Name("torch_utils.persistence", "_reconstruct_persistent_obj")
_DEEPEST = 12
_MOST_MODULES = 5_000
_PLACES = ("g_ema", "G_ema")


@dataclass
class Network:
    """tensors: by dotted name. facts: numbers and words of layers, by dotted name: `synthesis.b8.conv0.conv_clamp`."""

    tensors: dict[str, StoredTensor] = field(default_factory=dict)
    facts: dict[str, int | float | str | bool | None] = field(default_factory=dict)
    average: StoredTensor | None = None
    """Mean of `w`, where it is kept beside the network."""
    modules: int = 0


def find_generator(root: Any, storages: Storages) -> Network:
    """The averaged generator of a checkpoint, or the network whose tensors lie there openly. Raises Refused."""
    if not isinstance(root, dict):
        raise Refused("holds no generator (neither g_ema nor G_ema is in it)")
    network = Network()
    place = next((root[name] for name in _PLACES if name in root), root)
    if isinstance(place, dict):
        prefix = next((f"{name}." for name in _PLACES if any(_starts(key, f"{name}.") for key in place)), "")
        for key, value in place.items():
            tensor = value if isinstance(value, StoredTensor) else storages.tensor(value)
            if tensor is not None and isinstance(key, str):
                network.tensors[key.removeprefix(prefix)] = tensor
        metadata = place.get("__metadata__")
        if isinstance(metadata, dict):
            network.facts |= {str(key): value for key, value in metadata.items() if isinstance(value, str)}
    else:
        _take_module(network, "", place, storages, 0)
    network.average = network.tensors.pop("latent_avg", None) or storages.tensor(root.get("latent_avg"))
    if not network.tensors:
        raise Refused("holds no generator (neither g_ema nor G_ema is in it)")
    return network


def _starts(key: object, prefix: str) -> bool:
    return isinstance(key, str) and key.startswith(prefix)


def _take_module(network: Network, path: str, value: Any, storages: Storages, depth: int) -> None:
    """A persistent class of NVIDIA's: its state as `torch.nn.Module` keeps it. The source text in it is not read."""
    network.modules += 1
    if depth > _DEEPEST or network.modules > _MOST_MODULES:
        raise Refused("holds more modules in each other than any generator has")
    if not (isinstance(value, Call) and value.of == _PERSISTENT and len(value.arguments) == 1):
        raise Refused("holds a generator that NVIDIA's code has not written")
    (meta,) = value.arguments
    state = meta.get("state") if isinstance(meta, dict) else None
    if not isinstance(state, dict) or not isinstance(meta.get("class_name"), str):
        raise Refused("holds a generator that NVIDIA's code has not written")
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
        raise Refused("holds a generator that NVIDIA's code has not written")
    return [(name, value) for name, value in found.items() if isinstance(name, str)]
