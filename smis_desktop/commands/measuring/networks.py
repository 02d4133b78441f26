"""How long the networks take: encoder, generator, whole requests, a refinement step, training samples."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable

import numpy as np
import torch

from smis_desktop.commands.measuring.timing import Work, interleaved
from smis_desktop.commands.training_pace import measured_pace
from smis_desktop.fewshot.known_latents import latents_of_seed
from smis_desktop.fewshot.personal_model import layout_channels
from smis_desktop.fewshot.pool import SamplePool
from smis_desktop.fewshot.pseudo_labels import one_hot
from smis_desktop.fewshot.refinement import refine
from smis_desktop.fewshot.segmentation import segment_latents
from smis_desktop.fewshot.training import TrainingSettings
from smis_desktop.gan.protocol import draft_side
from smis_desktop.style import Style
from smis_desktop.synthesis import DRAFT_SIZE, PictureRequest, Quality, Synthesizer

_LAYOUT_SIDE = 512
_REFINE_STEPS = 4
_SAMPLES = 8


def layout_to_measure(synthesizer: Synthesizer) -> np.ndarray:
    """uint8 [512, 512]: what the model sees in one of the generator's pictures, so that it is a layout like others."""
    generator = synthesizer.generator
    layout = segment_latents(generator, synthesizer.model, latents_of_seed(generator, 0, 0.7), _LAYOUT_SIDE)
    layout.setflags(write=False)
    return layout


def works(synthesizer: Synthesizer, layout: np.ndarray) -> dict[str, Work]:
    """What to time, by the name of its figure."""
    generator, model = synthesizer.generator, synthesizer.model
    resolution = model.encoder.shape.resolution
    channels = layout_channels(layout, model.palette, model.label_kind, resolution)[None].to(generator.device)
    planes = one_hot(channels, model.palette.num_classes)
    ws = latents_of_seed(generator, 0, 0.7)[None]
    full = generator.img_resolution

    def without_gradients(call: Callable[[], object]) -> Work:
        def work() -> None:
            with torch.inference_mode():
                call()

        return work

    pictures = synthesizer.pictures
    fresh = itertools.count(1)

    def requested(size: int, quality: Quality) -> Work:
        """Every time another layout, so that nothing is remembered."""

        def work() -> None:
            changed = np.array(layout)
            number = next(fresh)
            changed[-1 - number // 512, number % 512] ^= 1
            changed.setflags(write=False)
            synthesizer.render(PictureRequest(changed, size=size, quality=quality))

        return work

    def restyled() -> None:
        """The slider of style mixing, drawn: every time at another place."""
        mix = 1 - next(fresh) % 1000 / 1001
        synthesizer.render(PictureRequest(layout, Style.of_seed(0, mix), DRAFT_SIZE, "draft"))

    def generated(side: int) -> Work:
        def call() -> None:
            moved = ws + 1e-5 * next(fresh)
            pictures.finish(pictures.structure(moved), moved, side, None)

        return without_gradients(call)

    return {
        "encoder": without_gradients(lambda: model.encoder(planes)),
        "generator_256": generated(draft_side(generator, DRAFT_SIZE)),
        "generator_1024": generated(full),
        "request_256": requested(DRAFT_SIZE, "draft"),
        "request_1024": requested(full, "full"),
        "restyled_256": restyled,
    }


def training_rates(synthesizer: Synthesizer) -> dict[str, float]:
    """`samples_per_s` of a whole training round, encoder steps included; `obedience_step` in milliseconds."""
    pictures = synthesizer.pictures
    settings = TrainingSettings(precision=pictures.precision)
    pace = measured_pace(synthesizer.generator, None, settings, pictures)
    return {
        "samples_per_s": round(settings.round_size / pace.round, 2),
        "obedience_step": round(1000 * pace.obedience_step, 2),
    }


def refine_step(
    synthesizer: Synthesizer, layout: np.ndarray, repeats: int, told: Callable[[float], None]
) -> list[float]:
    """Milliseconds of one refinement step, forward and backward; the last scoring is shared out among the steps."""
    generator, model = synthesizer.generator, synthesizer.model
    channels = layout_channels(layout, model.palette, model.label_kind, generator.feature_resolution)
    channels = channels[None].to(generator.device)
    ws = latents_of_seed(generator, 1, 0.7)[None]
    precision = synthesizer.pictures.precision
    work = {"refine": lambda: refine(generator, model.transfer, ws, channels, _REFINE_STEPS, precision)}
    return [taken / _REFINE_STEPS for taken in interleaved(work, repeats, told)["refine"]]


def samples_per_second(synthesizer: Synthesizer, repeats: int, told: Callable[[float], None]) -> float:
    """Pseudo-labelled training samples a second (median); without the encoder's own steps."""
    model = synthesizer.model
    pool = SamplePool(
        synthesizer.generator, model.transfer, 0, _SAMPLES, model.palette.num_classes, synthesizer.pictures
    )
    taken = interleaved({"samples": pool.grow}, repeats, told)["samples"]
    return round(1000 * _SAMPLES / statistics.median(taken), 2)
