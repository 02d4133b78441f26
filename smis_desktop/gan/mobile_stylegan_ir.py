"""MobileStyleGAN's tensors out of the two OpenVINO IRs that the `random-face` package carries."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from smis_desktop.gan.openvino_ir import IRGraph


def mobile_stylegan_weights(mapping: IRGraph, synthesis: IRGraph) -> dict[str, Tensor]:
    """The state dict of `MobileStyleGAN` (all but `latents.*` and `draft_head.*`), float32.

    Constants that kept their names are found by name, the folded ones (pointwise weights, noise, affine scales) by
    walking from a named neighbour. Raises KeyError or ValueError where the graph is of another structure.
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
    """An affine layer with the scale that follows it (equalised learning rate of the convolution) folded in."""
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
