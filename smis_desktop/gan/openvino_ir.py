"""Reads an OpenVINO IR (plain XML with offsets into a .bin) as a graph, without OpenVINO."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any
from xml.etree import ElementTree

import numpy as np

from smis_desktop.errors import UserError

_DTYPES: dict[str, np.dtype[Any]] = {
    "f32": np.dtype("<f4"),
    "f16": np.dtype("<f2"),
    "i64": np.dtype("<i8"),
    "i32": np.dtype("<i4"),
}


@dataclass(frozen=True)
class Node:
    """One operation. `inputs` holds the ids of the producing nodes in port order."""

    node_id: str
    kind: str
    name: str
    inputs: tuple[str, ...]


class IRGraph:
    """The operations of an IR and its constants.

    Raises UserError when the XML is not an IR or a constant lies outside the .bin.
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
        """The node of that name. Raises KeyError."""
        return self._by_name[name]

    def constant(self, node: Node) -> np.ndarray:
        """The array of a Const node."""
        return self._constants[node.node_id]

    def constant_input(self, node: Node) -> np.ndarray:
        """The array of the one constant that `node` takes. Raises ValueError if it takes none or several."""
        found = [self._constants[i] for i in node.inputs if i in self._constants]
        if len(found) != 1:
            raise ValueError(f"{node.kind} {node.name} takes {len(found)} constants")
        return found[0]

    def consumer(self, node: Node, kind: str) -> Node:
        """The one consumer of that kind. Raises ValueError if there is none or there are several."""
        found = [c for c in self._consumers.get(node.node_id, []) if c.kind == kind]
        if len(found) != 1:
            raise ValueError(f"{node.kind} {node.name} feeds {len(found)} nodes of kind {kind}")
        return found[0]

    def of_kind(self, kind: str) -> list[Node]:
        """All nodes of that kind, in the file's (topological) order."""
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
