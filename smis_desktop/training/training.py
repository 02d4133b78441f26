"""The whole few-shot training: photos and labels in, a personal model out.

Photos → inversion → label transfer → pool of (w, pseudo label) → encoder → the same, for obedience. Every stage leaves
what it made in a store, so that a training can stop at any moment and go on to the same result.
"""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from smis_desktop.document.palette import UNKNOWN_CHANNEL, LabelKind, Palette
from smis_desktop.errors import UserError
from smis_desktop.formats.shots_folder import TransferRule
from smis_desktop.generators.generator import Generator, draft_side, to_rgb8
from smis_desktop.generators.layers import Precision, freeze
from smis_desktop.inference.backends import SynthesisBackend, TorchBackend
from smis_desktop.personal_model.class_statistics import label_directions, learn_feature_colors
from smis_desktop.personal_model.encoder import EncoderShape, LayoutEncoder, class_fractions, layout_channels, one_hot
from smis_desktop.personal_model.label_transfer import LatentShot, TrainingShot, learn_probe, learn_vectors
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.personal_model.scribbles import are_scribbles
from smis_desktop.training.distributed import ALONE, ProcessGroup
from smis_desktop.training.encoder_training import EncoderTraining, LatentObjective
from smis_desktop.training.events import (
    ClassesLearned,
    EncoderProgress,
    LayoutConsistencyProgress,
    OnEvent,
    SearchingInitialLatents,
    TrainingEvent,
)
from smis_desktop.training.inversion import InversionSettings
from smis_desktop.training.inversion_init import NUM_CANDIDATES, InversionInit
from smis_desktop.training.label_alignment import aligned_to_ws
from smis_desktop.training.layout_consistency import LayoutConsistencyObjective
from smis_desktop.training.perceptual import PerceptualDistance
from smis_desktop.training.photo_search import ShotInversion
from smis_desktop.training.sample_pool import FeatureStore, SamplePool, draws
from smis_desktop.training.shots import has_spatial_labels, training_latents
from smis_desktop.training.store import ReadOnly, TrainingStore

_CHECKPOINT_EVERY = 8
"""Rounds between two checkpoints of the encoder."""
_OBEDIENCE_CHECKPOINT_EVERY = 20
"""Steps between two checkpoints of the training for obedience."""


OnImproved = Callable[[PersonalModel], None]


@dataclass(frozen=True)
class TrainingSettings:
    """What decides a training, besides generator, shots and palette.

    top_k and threshold matter to sparse labels only, top_k to landmarks alone (see `takes_probe`). `samples`
    pseudo-labelled pictures are made in rounds; after each round the encoder takes `steps_per_round` steps of
    `batch_size` on all that is there. With a probe it is then trained for obedience (see `obedience`) in
    `obedience_steps`.
    """

    label_kind: LabelKind = "dense"
    transfer: TransferRule = "informed"
    top_k: int = 3
    threshold: float = 0.5
    samples: int = 4800
    round_size: int = 64
    steps_per_round: int = 4
    batch_size: int = 224
    learning_rate: float = 1.4e-3
    obedience_steps: int = 160
    obedience_batch_size: int = 8
    obedience_learning_rate: float = 4e-4
    encoder_width: int = 512
    seed: int = 0
    precision: Precision = "float32"
    """Of the products in samples and steps (see `gan.precision`); a training goes on in the one that it began with."""
    inversion: InversionSettings = field(default_factory=InversionSettings)

    @property
    def rounds(self) -> int:
        """How many rounds `samples` make."""
        return -(-self.samples // self.round_size)


def train(
    name: str,
    generator: Generator,
    open_perceptual: Callable[[], PerceptualDistance],
    shots: Sequence[TrainingShot],
    palette: Palette,
    settings: TrainingSettings,
    store: TrainingStore,
    on_event: OnEvent,
    pictures: SynthesisBackend | None = None,
    on_improved: OnImproved | None = None,
    ranks: ProcessGroup = ALONE,
    kept: FeatureStore | None = None,
) -> PersonalModel:
    """Trains a personal model; goes on from what `store` holds of the same training.

    pictures: the backend that samples are labelled with (default: torch), in the settings' precision.
    kept: features of the same generator's random pictures, in that precision, from other trainings with that seed.
    ranks: the processes that train together, all with the same arguments; only the first writes to `store` and tells
    events, the model is every one's.
    `open_perceptual` is called only if a photo is to be inverted. Raises UserError when a label has no labelled
    pixel, or when a batch is too small for so many processes.
    """
    smallest = min(settings.batch_size, settings.obedience_batch_size, settings.round_size)
    if ranks.count > smallest:
        raise UserError(f"{ranks.count} processes are too many for batches of {smallest}; start {smallest} at most.")
    if not ranks.is_first:
        store, on_event, on_improved = ReadOnly(store), _say_nothing, None
    resolution, device = generator.feature_resolution, generator.device
    layouts = [layout_channels(shot.label_map, palette, settings.label_kind, resolution) for shot in shots]
    for shot, layout in zip(shots, layouts, strict=True):
        if not bool((layout != UNKNOWN_CHANNEL).any()):
            raise UserError(
                f"The label of {shot.name} has no labelled pixel; paint at least one class and train again."
            )
    pictures = pictures or TorchBackend(generator, settings.precision)

    def starts() -> list[Tensor | None]:
        if not has_spatial_labels(settings.label_kind, layouts):
            return [None] * len(shots)
        count = min(NUM_CANDIDATES, settings.samples)
        looking = InversionInit(
            generator, pictures, settings.seed, settings.round_size, count,
            lambda so_far: on_event(SearchingInitialLatents(so_far, count)), ranks, kept,
        )  # fmt: skip
        located = [shot.ws if shot.found is None else shot.found[0] for shot in shots]
        return looking.of(layouts, located, palette.num_classes)

    search = ShotInversion(generator, open_perceptual, shots, settings.inversion, store, on_event, ranks, starts)
    latents = search.latents()
    views: list[list[LatentShot]] = []
    for shot, found in zip(shots, latents, strict=True):
        views.append([])
        for ws in found if shot.ws is not None else training_latents(found):
            label_map = shot.label_map
            if shot.ws is None and shot.picture is not None and settings.label_kind == "dense":
                label_map = aligned_to_ws(generator, ws, label_map, shot.picture)
            channels = layout_channels(label_map, palette, settings.label_kind, resolution)
            views[-1].append(LatentShot(shot.name, ws.to(device), channels.to(device)))
    learned = [of_shot[0] for of_shot in views]
    vectors = learn_vectors(
        generator, learned, palette.num_classes, settings.label_kind, settings.top_k, settings.threshold
    )
    use_probe = takes_probe(settings, [shot.labels for shot in learned])
    seen = [view for of_shot in views for view in of_shot] if settings.label_kind == "dense" else learned
    uses_part_prior = settings.transfer == "informed"
    probe = learn_probe(generator, seen, palette.num_classes, uses_part_prior) if use_probe else None
    held = set(vectors.channels.tolist())
    missing = tuple(c.name for i, c in enumerate(palette.classes) if i not in held)
    on_event(ClassesLearned("probe" if use_probe else "vectors", missing))

    feature_colors = learn_feature_colors(generator)
    model = PersonalModel(
        name=name,
        generator_name=generator.name,
        generator_sha256=generator.weights_sha256,
        palette=palette,
        label_kind=settings.label_kind,
        vectors=vectors,
        probe=probe,
        encoder=_new_encoder(generator, palette.num_classes, settings),
        settings=describe(settings, [shot.name for shot in shots]),
        feature_colors=feature_colors,
    )
    directions = label_directions(generator, model.transfer)
    model = dataclasses.replace(model, directions=directions)
    pool = SamplePool(
        generator, model.transfer, settings.seed, settings.round_size, palette.num_classes, pictures, ranks, kept
    )

    def improved(encoder: LayoutEncoder) -> None:
        if on_improved is not None:
            on_improved(dataclasses.replace(model, encoder=freeze(encoder)))

    def previews(encoder: LayoutEncoder) -> tuple[np.ndarray, ...]:
        return _previews(generator, pictures, encoder, learned)

    of_w = LatentObjective(settings.batch_size, generator.latents, directions, ranks)
    encoder = _train_encoder(model.encoder, of_w, pool, settings, store, on_event, improved, previews, ranks)
    if probe is not None and settings.obedience_steps:
        before = freeze(copy.deepcopy(encoder))
        objective = LayoutConsistencyObjective(
            generator, probe, feature_colors, before, settings.obedience_batch_size, ranks
        )
        encoder = _train_for_obedience(encoder, objective, pool, settings, store, on_event, improved, previews, ranks)
    return dataclasses.replace(model, encoder=freeze(encoder))


def takes_probe(settings: TrainingSettings, labels: Sequence[Tensor]) -> bool:
    """Whether these labels (int64 [r, r] in channels) are transferred by a probe; landmarks never are."""
    return settings.transfer != "vectors" and (settings.label_kind == "dense" or are_scribbles(labels))


def _say_nothing(event: TrainingEvent) -> None:
    """The first process tells it."""


def describe(settings: TrainingSettings, shot_names: Sequence[str]) -> dict[str, Any]:
    """Settings as JSON-able facts for the model's file, and to tell whether a stored training is the same one."""
    return {**dataclasses.asdict(settings), "shots": list(shot_names)}


def precision_begun_with(description: Mapping[str, Any]) -> Precision | None:
    """What an unfinished training that was described so computes in; None when it is for this machine to decide."""
    if not description:
        return None
    return "bfloat16" if description.get("precision") == "bfloat16" else "float32"


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


def _train_encoder(
    encoder: LayoutEncoder,
    objective: LatentObjective,
    pool: SamplePool,
    settings: TrainingSettings,
    store: TrainingStore,
    on_event: OnEvent,
    improved: Callable[[LayoutEncoder], None],
    previews: Callable[[LayoutEncoder], tuple[np.ndarray, ...]],
    ranks: ProcessGroup,
) -> LayoutEncoder:
    total_steps = settings.rounds * settings.steps_per_round

    def add_round(number: int) -> None:
        stored = store.read(f"pool-{number}")
        if stored is not None:
            pool.add(stored["w"], stored["labels"])
        else:
            w, labels = pool.grow()
            store.write(f"pool-{number}", {"w": w, "labels": labels})

    add_round(0)
    shares = class_fractions(pool.labels, encoder.shape.num_classes, encoder.grid_side)
    encoder.set_input_mean(shares.to(encoder.w_avg.device))
    training = EncoderTraining(
        encoder, objective, settings.seed, settings.learning_rate, total_steps, settings.precision, ranks
    )
    checkpoint = store.read("encoder")
    if checkpoint is not None:
        training.restore(checkpoint)
    started, first_round = time.monotonic(), training.steps // settings.steps_per_round
    for number in range(settings.rounds):
        if number:
            add_round(number)
        if number < first_round:
            continue
        losses = [training.step(pool) for _ in range(settings.steps_per_round)]
        done, last = number + 1, number + 1 == settings.rounds
        seen: tuple[np.ndarray, ...] = ()
        if done % _CHECKPOINT_EVERY == 0 or last:
            store.write("encoder", training.state())
            averaged = training.averaged()
            seen = previews(averaged)
            improved(averaged)
        seconds = time.monotonic() - started
        on_event(
            EncoderProgress(
                samples=len(pool),
                total_samples=settings.rounds * settings.round_size,
                steps=training.steps,
                loss=sum(losses) / len(losses),
                seconds_left=seconds / (done - first_round) * (settings.rounds - done),
                samples_per_second=(done - first_round) * settings.round_size / max(seconds, 1e-9),
                previews=seen,
            )
        )
    return training.averaged()


def _train_for_obedience(
    encoder: LayoutEncoder,
    objective: LayoutConsistencyObjective,
    pool: SamplePool,
    settings: TrainingSettings,
    store: TrainingStore,
    on_event: OnEvent,
    improved: Callable[[LayoutEncoder], None],
    previews: Callable[[LayoutEncoder], tuple[np.ndarray, ...]],
    ranks: ProcessGroup,
) -> LayoutEncoder:
    steps = settings.obedience_steps
    training = EncoderTraining(
        encoder.requires_grad_(True),
        objective,
        settings.seed,
        settings.obedience_learning_rate,
        steps,
        settings.precision,
        ranks,
    )
    checkpoint = store.read("obedience")
    if checkpoint is not None:
        training.restore(checkpoint)
    started, first = time.monotonic(), training.steps
    while training.steps < steps:
        loss = training.step(pool)
        seen: tuple[np.ndarray, ...] = ()
        if training.steps % _OBEDIENCE_CHECKPOINT_EVERY == 0 or training.steps == steps:
            store.write("obedience", training.state())
            averaged = training.averaged()
            seen = previews(averaged)
            improved(averaged)
        pace = (time.monotonic() - started) / (training.steps - first)
        on_event(LayoutConsistencyProgress(training.steps, steps, loss, pace * (steps - training.steps), seen))
    return training.averaged()


@torch.inference_mode()
def _previews(
    generator: Generator, pictures: SynthesisBackend, encoder: LayoutEncoder, learned: Sequence[LatentShot]
) -> tuple[np.ndarray, ...]:
    """What it makes of the shots' own layouts, by the quick way to pictures."""
    found = []
    for shot in learned:
        ws = encoder(one_hot(shot.labels[None], encoder.shape.num_classes))
        found.append(
            to_rgb8(pictures.synthesize_fine(pictures.coarse_features(ws), ws, draft_side(generator), None)[0])
        )
    return tuple(found)
