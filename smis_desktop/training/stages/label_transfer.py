"""The stage that learns, from the inverted shots, how features become labels."""

from __future__ import annotations

import dataclasses

import torch

from smis_desktop.generators.generator import Generator
from smis_desktop.personal_model.class_statistics import label_directions, learn_feature_colors
from smis_desktop.personal_model.encoder import EncoderShape, LayoutEncoder, layout_channels
from smis_desktop.personal_model.label_transfer import LatentShot, learn_probe, learn_vectors
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.training.events import ClassesLearned
from smis_desktop.training.label_alignment import aligned_to_ws
from smis_desktop.training.sample_pool import draws
from smis_desktop.training.shots import training_latents
from smis_desktop.training.stages import Stage, register_stage
from smis_desktop.training.training import TrainingContext, TrainingSettings, describe, uses_probe


@register_stage
class LabelTransferStage(Stage):
    """Learns the label transfer, and puts together the personal model with an encoder that is still to be trained."""

    name, position = "labels", 30
    milestone, milestone_text = "labels_learned", "labels learned"

    def run(self, context: TrainingContext) -> None:
        settings, generator, palette = context.settings, context.generator, context.palette
        views = _latent_shots(context)
        learned = [of_shot[0] for of_shot in views]
        vectors = learn_vectors(
            generator, learned, palette.num_classes, settings.label_kind, settings.top_k, settings.threshold
        )
        probe = None
        if uses_probe(settings, [shot.labels for shot in learned]):
            seen = [view for of_shot in views for view in of_shot] if settings.label_kind == "dense" else learned
            probe = learn_probe(generator, seen, palette.num_classes, settings.transfer == "informed")
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
            feature_colors=learn_feature_colors(generator),
        )
        context.latent_shots = learned
        context.model = dataclasses.replace(model, directions=label_directions(generator, model.transfer))


def _latent_shots(context: TrainingContext) -> list[list[LatentShot]]:
    """For each shot the latents that labels are learned from, the better ones first, with the labels that fit them."""
    generator, settings, palette = context.generator, context.settings, context.palette
    views: list[list[LatentShot]] = []
    for shot, latents in zip(context.shots, context.shot_latents, strict=True):
        assert latents is not None, f"{shot.name} was not inverted"
        views.append([])
        for ws in latents if shot.ws is not None else training_latents(latents):
            label_map = shot.label_map
            if shot.ws is None and shot.picture is not None and settings.label_kind == "dense":
                label_map = aligned_to_ws(generator, ws, label_map, shot.picture)
            channels = layout_channels(label_map, palette, settings.label_kind, generator.feature_resolution)
            views[-1].append(LatentShot(shot.name, ws.to(generator.device), channels.to(generator.device)))
    return views


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
