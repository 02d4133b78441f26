"""The stage that learns label transfer from the inverted shots."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from smis_desktop.generators.generator import Generator, to_rgb8
from smis_desktop.generators.layers import autocast_to
from smis_desktop.personal_model.encoder import EncoderShape, LayoutEncoder, layout_channels
from smis_desktop.personal_model.label_transfer import LatentShot, learn_vectors
from smis_desktop.personal_model.model import PersonalModel, label_directions, learn_feature_colors
from smis_desktop.personal_model.probe_learning import learn_probe
from smis_desktop.personal_model.trust import class_trust
from smis_desktop.training.events import ClassesLearned
from smis_desktop.training.sample_pool import draws
from smis_desktop.training.shots import training_latents
from smis_desktop.training.stages import Stage, register_stage
from smis_desktop.training.training import TrainingContext, TrainingSettings, describe, uses_probe

_SIDE = 256
"""Side of the pictures between which labels are aligned."""
_BLUR = 1.5
"""Pixels: texture need not match."""
_SMOOTHNESS = 6.0
"""Pixels: neighbouring parts of a face move together."""
_MAX_DISPLACEMENT = 8.0
"""Pixels. What lies farther off is something else."""


@register_stage
class LabelTransferStage(Stage):
    """Learns the label transfer, and assembles the personal model with an untrained encoder."""

    name, position = "labels", 30
    milestone, milestone_text = "labels_learned", "labels learned"

    def run(self, context: TrainingContext) -> None:
        settings, generator, palette = context.settings, context.generator, context.palette
        aligned_views = _aligned_views(context)
        views = _latent_shots(context, aligned_views, generator.feature_resolution)
        learned = [of_shot[0] for of_shot in views]
        vectors = learn_vectors(
            generator, learned, palette.num_classes, settings.label_kind, settings.top_k, settings.threshold
        )
        probe = fine_probe = trust = None
        if uses_probe(settings, [shot.labels for shot in learned]):
            seen, informed = learned, settings.transfer == "informed"
            if settings.label_kind == "dense":
                seen = [view for of_shot in views for view in of_shot]
                fine = _latent_shots(context, aligned_views, generator.fine_feature_resolution)
                all_fine = [view for of_shot in fine for view in of_shot]
                fine_probe = learn_probe(generator, all_fine, palette.num_classes, informed, "fine")
            probe = learn_probe(generator, seen, palette.num_classes, informed)
            if fine_probe is not None:
                trust = class_trust(generator, seen, probe, fine_probe, palette.num_classes, informed)
        held = set(vectors.channels.tolist())
        missing = tuple(c.name for i, c in enumerate(palette.classes) if i not in held)
        context.send(ClassesLearned("vectors" if probe is None else "probe", missing))
        model = PersonalModel(
            name=context.name,
            generator_name=generator.name,
            generator_sha256=generator.weights_sha256,
            palette=palette,
            label_kind=settings.label_kind,
            vectors=vectors,
            probe=probe,
            encoder=_new_encoder(generator, palette.num_classes, settings),
            settings=describe(settings, [shot.name for shot in context.shots]),
            feature_colors=_in_precision(context, lambda: learn_feature_colors(generator)),
            fine_probe=fine_probe,
            trust=trust,
        )
        context.latent_shots = learned
        directions = _in_precision(context, lambda: label_directions(generator, model.transfer))
        context.model = dataclasses.replace(model, directions=directions)


def _aligned_views(context: TrainingContext) -> list[list[tuple[Tensor, np.ndarray]]]:
    """Returns for each shot the latents that labels are learned from, the better ones first, with the label map aligned
    to each."""
    generator, settings = context.generator, context.settings
    views: list[list[tuple[Tensor, np.ndarray]]] = []
    for shot, latents in zip(context.shots, context.shot_latents, strict=True):
        assert latents is not None, f"{shot.name} was not inverted"
        views.append([])
        for ws in latents if shot.ws is not None else training_latents(latents):
            label_map = shot.label_map
            if shot.ws is None and shot.picture is not None and settings.label_kind == "dense":
                label_map = aligned_to_ws(generator, ws, label_map, shot.picture)
            views[-1].append((ws.to(generator.device), label_map))
    return views


def _in_precision(context: TrainingContext, measure: Callable[[], Tensor]) -> Tensor:
    """Measures something over many random pictures in the precision of the training."""
    with autocast_to(context.settings.precision, context.generator.device):
        return measure()


def _latent_shots(
    context: TrainingContext, views: Sequence[Sequence[tuple[Tensor, np.ndarray]]], side: int
) -> list[list[LatentShot]]:
    """Returns the same with labels reduced to that side."""

    def reduced(name: str, ws: Tensor, label_map: np.ndarray) -> LatentShot:
        channels = layout_channels(label_map, context.palette, context.settings.label_kind, side)
        return LatentShot(name, ws, channels.to(ws.device))

    return [
        [reduced(shot.name, ws, label_map) for ws, label_map in of_shot]
        for shot, of_shot in zip(context.shots, views, strict=True)
    ]


def _new_encoder(generator: Generator, num_classes: int, settings: TrainingSettings) -> LayoutEncoder:
    groups = (len(generator.coarse_slots), len(generator.middle_slots), len(generator.fine_slots))
    shape = EncoderShape(
        num_classes, generator.num_ws, generator.w_dim, groups, generator.feature_resolution, settings.encoder_width
    )
    seed = int(torch.randint(2**31, (1,), generator=draws(settings.seed, "encoder", 0)).item())
    with torch.random.fork_rng(devices=[]):
        # torch's layers initialise from the global generator; this is the one place that touches it, and puts it back.
        torch.manual_seed(seed)
        encoder = LayoutEncoder(shape)
    encoder.set_latent_space(generator.w_avg.cpu(), generator.latents.axes.cpu(), generator.latents.std.cpu())
    return encoder.to(generator.device)


def aligned(label_map: np.ndarray, photo: np.ndarray, reconstruction: np.ndarray) -> np.ndarray:
    """Warps the labels of a photo to match its reconstruction.

    An inversion is never the photo: a jaw is a little wider, a brow lies a pixel higher. Labels belong to the photo,
    features to the reconstruction, so that neighbouring classes would be mixed up. A smooth, short displacement between
    the pictures (dense inverse search, Kroeger et al. 2016, arXiv 1603.03590) takes the labels along. From five photos
    that is worth 0.015 mIoU (docs/experiments/label-transfer.md).

    Args:
        label_map: uint8 [s, s].
        photo: uint8 [S, S, 3].
        reconstruction: uint8 [R, R, 3].

    Returns:
        uint8 [s, s]; `label_map` itself where the displacement does not bring the two pictures closer.
    """
    source, target = _resized(photo), _resized(reconstruction)
    flow = _displacement(target, source)
    if _difference(_warped(source, flow, cv2.INTER_LINEAR), target) >= _difference(source, target):
        return label_map
    side = label_map.shape[0]
    scaled = cv2.resize(flow, (side, side), interpolation=cv2.INTER_LINEAR) * (side / _SIDE)
    return _warped(label_map, scaled, cv2.INTER_NEAREST)


def aligned_to_ws(generator: Generator, ws: Tensor, label_map: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Warps labels like `aligned`, to the picture of `ws` [num_ws, 512], the inversion of `photo`."""
    with torch.inference_mode():
        return aligned(label_map, photo, to_rgb8(generator.draft(ws[None].to(generator.device), _SIDE)[0]))


def _resized(picture: np.ndarray) -> np.ndarray:
    interpolation = cv2.INTER_AREA if picture.shape[0] > _SIDE else cv2.INTER_LINEAR
    return cv2.resize(picture, (_SIDE, _SIDE), interpolation=interpolation)


def _displacement(target: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Returns float32 [256, 256, 2]: for each pixel of `target`, how far right and down `source` shows the same."""
    grey = [cv2.GaussianBlur(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), (0, 0), _BLUR) for x in (target, source)]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = cv2.GaussianBlur(search.calc(grey[0], grey[1], np.zeros((_SIDE, _SIDE, 2), np.float32)), (0, 0), _SMOOTHNESS)
    length = np.linalg.norm(flow, axis=2, keepdims=True)
    return np.asarray(flow * np.minimum(1, _MAX_DISPLACEMENT / np.maximum(length, 1e-6)), dtype=np.float32)


def _warped(picture: np.ndarray, flow: np.ndarray, interpolation: int) -> np.ndarray:
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return cv2.remap(
        picture, columns + flow[..., 0], rows + flow[..., 1], interpolation, borderMode=cv2.BORDER_REPLICATE
    )


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(np.int16) - b.astype(np.int16)).mean())
