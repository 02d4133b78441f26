"""How long the networks take, how exact they are, and the yardsticks beside them."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from smis_desktop.document.style import DRAFT_SIZE, Style
from smis_desktop.errors import UserError
from smis_desktop.evaluation.timing import Work, interleaved
from smis_desktop.generators.catalog import DEFAULT_GENERATOR
from smis_desktop.generators.generator import Generator, draft_side, latents_of_seed
from smis_desktop.generators.store import original_synthesis_network
from smis_desktop.inference.backends import SynthesisBackend
from smis_desktop.inference.refinement import refine
from smis_desktop.inference.synthesizer import PictureRequest, Quality, Synthesizer
from smis_desktop.personal_model.encoder import layout_channels, one_hot
from smis_desktop.personal_model.model import segment_latents
from smis_desktop.storage.wheel_download import Progress
from smis_desktop.training.pace import measured_pace
from smis_desktop.training.sample_pool import SamplePool
from smis_desktop.training.training import TrainingSettings

MATRIX_SIDE = 2048
MATRIX_FLOP = 2 * MATRIX_SIDE**3


def peer_work(generator: Generator, progress: Progress) -> Work | str:
    """OpenVINO's run of the original synthesis network, on as many threads as torch's; or why there is none."""
    if generator.name != DEFAULT_GENERATOR:
        return f"only the generator {DEFAULT_GENERATOR} has a peer, this is {generator.name}"
    try:
        from smis_desktop.inference.openvino_runtime import openvino
    except ImportError:
        return "the package openvino is not installed"
    try:
        network: Path = original_synthesis_network(progress)
    except UserError as error:
        return str(error)
    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = openvino.Core().compile_model(network, "CPU", settings)
    style = generator.w_avg[None].cpu().numpy()
    return lambda: compiled(style)


def matrix_work(generator: Generator) -> Work:
    """One product of two 2048² matrices, `MATRIX_FLOP` operations: what the machine can do at its best."""
    a = torch.rand(2, MATRIX_SIDE, MATRIX_SIDE, generator=torch.Generator().manual_seed(0)).to(generator.device)
    return lambda: torch.mm(a[0], a[1])


def synthesis_flop(generator: Generator) -> int:
    """Multiplications and additions in the convolutions and matrix products of one full picture."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        generator.synthesis(generator.broadcast(generator.w_avg[None]))
    return int(counter.get_total_flops())


_FIRST_SEED = 10_000
"""Seeds that no head was fitted on."""


def picture_psnr(
    generator: Generator, pictures: SynthesisBackend, count: int, told: Callable[[float], None]
) -> dict[str, dict[str, float]]:
    """{side: {"mean", "worst"}} in dB, over `count` random pictures at truncation 0.7, against the full ones in float32
    by torch, averaged to that side; for all of the generator's `draft_sizes`."""
    found: dict[int, list[float]] = {side: [] for side in generator.draft_sizes}
    with torch.inference_mode():
        for number in range(count):
            ws = latents_of_seed(generator, _FIRST_SEED + number, 0.7)[None]
            structure = pictures.coarse_features(ws)
            full = generator.synthesis(ws).clamp(-1, 1)
            for side, values in found.items():
                picture = pictures.synthesize_fine(structure, ws, side, None).clamp(-1, 1)
                error = (picture - F.interpolate(full, size=(side, side), mode="area")).square().mean().item()
                values.append(10 * math.log10(4 / max(error, 1e-10)))
            told((number + 1) / count)
    return {
        str(side): {"mean": round(sum(values) / len(values), 2), "worst": round(min(values), 2)}
        for side, values in found.items()
    }


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

    pictures = synthesizer.backend
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
            pictures.synthesize_fine(pictures.coarse_features(moved), moved, side, None)

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
    pictures = synthesizer.backend
    settings = TrainingSettings(precision=pictures.precision)
    pace = measured_pace(synthesizer.generator, None, settings, pictures)
    return {
        "samples_per_s": round(settings.round_size / pace.round, 2),
        "obedience_step": round(1000 * pace.consistency_step, 2),
    }


def refine_step(
    synthesizer: Synthesizer, layout: np.ndarray, repeats: int, told: Callable[[float], None]
) -> list[float]:
    """Milliseconds of one refinement step, forward and backward; the last scoring is shared out among the steps."""
    generator, model = synthesizer.generator, synthesizer.model
    channels = layout_channels(layout, model.palette, model.label_kind, generator.feature_resolution)
    channels = channels[None].to(generator.device)
    ws = latents_of_seed(generator, 1, 0.7)[None]
    precision = synthesizer.backend.precision
    work = {"refine": lambda: refine(generator, model.transfer, ws, channels, _REFINE_STEPS, precision)}
    return [taken / _REFINE_STEPS for taken in interleaved(work, repeats, told)["refine"]]


def samples_per_second(synthesizer: Synthesizer, repeats: int, told: Callable[[float], None]) -> float:
    """Pseudo-labelled training samples a second (median); without the encoder's own steps."""
    model = synthesizer.model
    pool = SamplePool(
        synthesizer.generator, model.transfer, 0, _SAMPLES, model.palette.num_classes, synthesizer.backend
    )
    taken = interleaved({"samples": pool.grow}, repeats, told)["samples"]
    return round(1000 * _SAMPLES / statistics.median(taken), 2)
