"""Reads the published files of MobileStyleGAN: OpenVINO IRs as graphs, and the weights in them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any
from xml.etree import ElementTree

import numpy as np
import torch
from torch import Tensor

from smis_desktop.errors import UserError

_DTYPES: dict[str, np.dtype[Any]] = {
    "f32": np.dtype("<f4"),
    "f16": np.dtype("<f2"),
    "i64": np.dtype("<i8"),
    "i32": np.dtype("<i4"),
}


@dataclass(frozen=True)
class Node:
    """One operation; `inputs` are the ids of the nodes whose outputs it reads, in port order."""

    node_id: str
    kind: str
    name: str
    inputs: tuple[str, ...]


class IRGraph:
    """The operations of an IR and its constants.

    Raises:
        UserError: the XML is not an IR, or a constant lies outside the .bin.
    """

    def __init__(self, xml: bytes, weights: bytes, source: str) -> None:
        try:
            net = ElementTree.fromstring(xml)
        except ElementTree.ParseError as error:
            raise UserError(f"{source} is not an OpenVINO IR ({error}); fetch the generator again.") from error
        layers, edges = net.find("layers"), net.find("edges")
        if layers is None or edges is None:
            raise UserError(f"{source} is not an OpenVINO IR (no layers); fetch the generator again.")
        incoming: dict[str, list[tuple[int, str]]] = {}
        for edge in edges:
            incoming.setdefault(edge.attrib["to-layer"], []).append(
                (int(edge.attrib["to-port"]), edge.attrib["from-layer"])
            )
        self.nodes: dict[str, Node] = {}
        self._constants: dict[str, np.ndarray] = {}
        for layer in layers:
            node_id = layer.attrib["id"]
            inputs = tuple(producer for _, producer in sorted(incoming.get(node_id, [])))
            self.nodes[node_id] = Node(node_id, layer.attrib["type"], layer.attrib["name"], inputs)
            if layer.attrib["type"] == "Const":
                self._constants[node_id] = _constant(layer, weights, source)
        self._consumers: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            for producer in node.inputs:
                self._consumers.setdefault(producer, []).append(node)
        self._by_name = {node.name: node for node in self.nodes.values()}

    def named(self, name: str) -> Node:
        """Return the node of that name. Raises KeyError."""
        return self._by_name[name]

    def constant(self, node: Node) -> np.ndarray:
        """Return the array of a Const node."""
        return self._constants[node.node_id]

    def constant_input(self, node: Node) -> np.ndarray:
        """Return the array of the one constant that `node` reads. Raises ValueError if it reads none or several."""
        found = [self._constants[i] for i in node.inputs if i in self._constants]
        if len(found) != 1:
            raise ValueError(f"{node.kind} {node.name} takes {len(found)} constants")
        return found[0]

    def consumer(self, node: Node, kind: str) -> Node:
        """Return the one consumer of that kind. Raises ValueError if there are none or several."""
        found = [c for c in self._consumers.get(node.node_id, []) if c.kind == kind]
        if len(found) != 1:
            raise ValueError(f"{node.kind} {node.name} feeds {len(found)} nodes of kind {kind}")
        return found[0]

    def of_kind(self, kind: str) -> list[Node]:
        """Return all nodes of that kind, in the file's (topological) order."""
        return [n for n in self.nodes.values() if n.kind == kind]


def _constant(layer: ElementTree.Element, weights: bytes, source: str) -> np.ndarray:
    data = layer.find("data")
    if data is None:
        raise UserError(f"{source} has a constant without data; fetch the generator again.")
    shape = tuple(int(side) for side in data.attrib["shape"].split(",") if side.strip())
    dtype = _DTYPES[data.attrib["element_type"]]
    offset, size = int(data.attrib["offset"]), int(data.attrib["size"])
    if size != prod(shape) * dtype.itemsize or offset + size > len(weights):
        raise UserError(f"{source} is damaged (a constant lies outside its weights); fetch the generator again.")
    return np.frombuffer(weights, dtype, prod(shape), offset).reshape(shape)


def mobile_stylegan_weights(mapping: IRGraph, synthesis: IRGraph) -> dict[str, Tensor]:
    """Collect the state dict of `MobileStyleGAN` (all but `latents.*` and `heads.*`), float32.

    Constants that kept their names are found by name, the folded ones (pointwise weights, noise, affine scales) by
    walking from a named neighbour.

    Raises:
        KeyError or ValueError: the graph has another structure.
    """
    arrays: dict[str, np.ndarray] = {}
    for number, matmul in enumerate(mapping.of_kind("MatMul")):
        arrays[f"map.layers.{number}.weight"] = mapping.constant_input(matmul)
        add = mapping.consumer(matmul, "Add")
        reshape = next(mapping.nodes[i] for i in add.inputs if mapping.nodes[i].kind == "Reshape")
        arrays[f"map.layers.{number}.bias"] = mapping.constant_input(reshape)
    arrays["constant"] = synthesis.constant(synthesis.named("m.input.input"))
    arrays |= _styled_conv(synthesis, "m.conv1", "first", separable=False)
    blocks = sum(1 for node in synthesis.of_kind("Const") if node.name.endswith(".up.modulation.weight"))
    for i in range(blocks):
        arrays |= _affine(synthesis, f"m.layers.{i}.up.modulation", f"blocks.{i}.up")
        for conv in ("conv1", "conv2"):
            arrays |= _styled_conv(synthesis, f"m.layers.{i}.{conv}", f"blocks.{i}.{conv}", separable=True)
    head = f"m.layers.{blocks - 1}.to_img"
    arrays |= _affine(synthesis, f"{head}.conv.modulation", "head.affine")
    arrays["head.weight"] = synthesis.constant(synthesis.named(f"{head}.conv.weight"))
    arrays["head.bias"] = synthesis.constant(synthesis.named(f"{head}.bias")).reshape(-1)
    return {key: torch.from_numpy(np.ascontiguousarray(array, np.float32).copy()) for key, array in arrays.items()}


def _affine(graph: IRGraph, source: str, target: str) -> dict[str, np.ndarray]:
    """An affine layer, with the scale that follows it (equalised learning rate of the convolution) folded in."""
    weight, bias_node = graph.constant(graph.named(f"{source}.weight")), graph.named(f"{source}.bias")
    bias = graph.constant(bias_node).reshape(-1)
    reshape = graph.consumer(graph.consumer(bias_node, "Add"), "Reshape")
    product = graph.consumer(reshape, "Multiply")
    scale = 1.0
    if any(graph.nodes[i].kind == "Const" for i in product.inputs):
        scale = float(graph.constant_input(product).reshape(()))
    return {f"{target}.weight": weight * np.float32(scale), f"{target}.bias": bias * np.float32(scale)}


def _styled_conv(graph: IRGraph, source: str, target: str, separable: bool) -> dict[str, np.ndarray]:
    arrays = _affine(graph, f"{source}.conv.modulation", f"{target}.affine")
    bias_node = graph.named(f"{source}.bias")
    add_bias = graph.consumer(bias_node, "Add")
    add_noise = next(graph.nodes[i] for i in add_bias.inputs if graph.nodes[i].kind == "Add")
    convolution = next(graph.nodes[i] for i in add_noise.inputs if graph.nodes[i].kind == "Convolution")
    arrays[f"{target}.bias"] = graph.constant(bias_node).reshape(-1)
    arrays[f"{target}.noise"] = graph.constant_input(add_noise)
    arrays[f"{target}.weight"] = graph.constant_input(convolution)
    if separable:
        depthwise = graph.constant(graph.named(f"{source}.conv.weight_dw"))
        arrays[f"{target}.depthwise"] = depthwise.reshape(-1, 1, 3, 3)
    return arrays
