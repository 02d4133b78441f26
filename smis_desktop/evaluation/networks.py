"""Measures speed and precision of the networks, compared with OpenVINO and with the processor's arithmetic limit."""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from smis_desktop.document.composition import MASK_SIDE, Composition, Patch, Repaint, repainted_region
from smis_desktop.document.style import DRAFT_SIZE, Style
from smis_desktop.errors import UserError
from smis_desktop.evaluation.timing import Work, figures, interleaved, ratio
from smis_desktop.generators.catalog import DEFAULT_GENERATOR
from smis_desktop.generators.generator import Generator, draft_side, latents_of_seed
from smis_desktop.generators.store import original_synthesis_network
from smis_desktop.inference.backends import SynthesisBackend
from smis_desktop.inference.composed_features import masks_of, surroundings_of
from smis_desktop.inference.layout_regions import region_masks
from smis_desktop.inference.refinement import STEPS_OF_ONE_LATENT, RefinementTarget, begun, refine
from smis_desktop.inference.synthesizer import PictureRequest, Quality, Synthesizer
from smis_desktop.personal_model.encoder import layout_channels, one_hot
from smis_desktop.personal_model.model import segment_latents
from smis_desktop.storage.wheel_download import Progress
from smis_desktop.training.pace import measured_pace
from smis_desktop.training.sample_pool import SamplePool
from smis_desktop.training.training import TrainingSettings
from smis_desktop.workers.preview_thread import STEPS_AT_ONCE, STEPS_AT_REST

_MATRIX_SIDE = 2048
_MATRIX_FLOP = 2 * _MATRIX_SIDE**3
_AGAINST_PEER = ("generator_1024", "request_1024", "request_256")
_PSNR_PICTURES = 16
_FIRST_PSNR_SEED = 10_000
"""No picture head was fitted on seeds from here on."""
_LAYOUT_SIDE = 512
_REFINE_STEPS = 4
_SAMPLES = 8
_MOST_RESTS = 5
_MANY_PATCHES = 100
_CHANGED_SIDE = 256
_OVER_MANY = f"repaint_256_over_{_MANY_PATCHES}"


def measure_networks(synthesizer: Synthesizer, repeats: int, with_peer: bool, progress: Progress) -> dict[str, Any]:
    """Measure encoder, generator, requests, refinement and training; `smis bench --json` prints these figures.

    Args:
        repeats: runs of each measurement.
        with_peer: also OpenVINO's run of the generator's original files (`peer_1024`).
    """
    layout = layout_to_measure(synthesizer)
    facts = _turns(synthesizer, layout, repeats, with_peer, progress)
    steps = _refine_steps(synthesizer, layout, repeats, partial(progress, "Measuring a refinement step"))
    facts["ratios"]["refine_step_in_patch / refine_step"] = ratio(steps["refine_step_in_patch"], steps["refine_step"])
    rest = _at_rest(synthesizer, layout, min(repeats, _MOST_RESTS), partial(progress, "Refining pictures at rest"))
    return {
        **facts,
        **{name: figures(milliseconds) for name, milliseconds in (steps | rest).items()},
        "samples_per_s": _samples_per_second(synthesizer, repeats, partial(progress, "Making training samples")),
        "training": _training_rates(synthesizer),
        "psnr": _psnr(
            synthesizer.generator,
            synthesizer.backend,
            min(_PSNR_PICTURES, repeats),
            partial(progress, "Comparing pictures with torch's full ones"),
        ),
    }


def _turns(
    synthesizer: Synthesizer, layout: np.ndarray, repeats: int, with_peer: bool, progress: Progress
) -> dict[str, Any]:
    """Measure networks, requests, OpenVINO and the arithmetic limit, all in turns."""
    generator = synthesizer.generator
    peer = _peer_work(generator, progress) if with_peer else "left out by --no-peer"
    # OpenVINO right behind the generator: a machine that slows down or speeds up does it to both.
    works: dict[str, Work] = {}
    for name, work in _works(synthesizer, layout).items():
        works[name] = work
        if name == "generator_1024":
            if not isinstance(peer, str):
                works["peer_1024"] = peer
            works["matrix product"] = _matrix_work(generator)
    times = interleaved(works, repeats, partial(progress, "Measuring encoder, generator and requests"))
    products = times.pop("matrix product")
    flop = synthesis_flop(generator)
    limits = [milliseconds * flop / _MATRIX_FLOP for milliseconds in products]
    facts: dict[str, Any] = {name: figures(milliseconds) for name, milliseconds in times.items()}
    ratios = {"generator_1024 / limit_1024": ratio(times["generator_1024"], limits)}
    for name, other in (("repaint_256", "request_256"), (_OVER_MANY, "repaint_256")):
        ratios[f"{name} / {other}"] = ratio(times[name], times[other])
    if "peer_1024" in times:
        ratios |= {f"{name} / peer_1024": ratio(times[name], times["peer_1024"]) for name in _AGAINST_PEER}
    return {
        **facts,
        "ratios": ratios,
        "styles_per_s": round(1000 / facts["restyled_256"]["median"], 2),
        "peer_1024": facts.get("peer_1024"),
        "peer_reason": peer if isinstance(peer, str) else None,
        "limit_1024": figures(limits),
        "generator_1024_gflop": round(flop / 1e9, 2),
        "matrix_product_gflop_per_s": round(_MATRIX_FLOP / 1e6 / figures(products)["median"], 1),
    }


def _peer_work(generator: Generator, progress: Progress) -> Work | str:
    """Return a run of the original synthesis network in OpenVINO, on as many threads as torch uses, or why there is
    none."""
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


def _matrix_work(generator: Generator) -> Work:
    """Return a product of two 2048² matrices, `_MATRIX_FLOP` operations: the upper limit of the machine."""
    a = torch.rand(2, _MATRIX_SIDE, _MATRIX_SIDE, generator=torch.Generator().manual_seed(0)).to(generator.device)
    return lambda: torch.mm(a[0], a[1])


def synthesis_flop(generator: Generator) -> int:
    """Count the multiplications and additions in the convolutions and matrix products of one full picture."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        generator.synthesis(generator.broadcast(generator.w_avg[None]))
    return int(counter.get_total_flops())


def _psnr(
    generator: Generator, backend: SynthesisBackend, count: int, progress: Callable[[float], None]
) -> dict[str, dict[str, float]]:
    """Compare the backend's pictures of every draft size with torch's full ones in float32, averaged to that size.

    Returns {side: {"mean", "worst"}} in dB over `count` random pictures at truncation 0.7.
    """
    psnr: dict[int, list[float]] = {side: [] for side in generator.draft_sizes}
    with torch.inference_mode():
        for number in range(count):
            ws = latents_of_seed(generator, _FIRST_PSNR_SEED + number, 0.7)[None]
            coarse = backend.coarse_features(ws)
            full = generator.synthesis(ws).clamp(-1, 1)
            for side, values in psnr.items():
                picture = backend.synthesize_fine(coarse, ws, side, None).clamp(-1, 1)
                error = (picture - F.interpolate(full, size=(side, side), mode="area")).square().mean().item()
                values.append(10 * math.log10(4 / max(error, 1e-10)))
            progress((number + 1) / count)
    return {
        str(side): {"mean": round(sum(values) / len(values), 2), "worst": round(min(values), 2)}
        for side, values in psnr.items()
    }


def layout_to_measure(synthesizer: Synthesizer) -> np.ndarray:
    """Return a typical layout, uint8 [512, 512]: what the model sees in one of the generator's pictures."""
    generator = synthesizer.generator
    layout = segment_latents(generator, synthesizer.model, latents_of_seed(generator, 0, 0.7), _LAYOUT_SIDE)
    layout.setflags(write=False)
    return layout


def _works(synthesizer: Synthesizer, layout: np.ndarray) -> dict[str, Work]:
    """Return the functions to time, by the names of their figures."""
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

    backend = synthesizer.backend
    counter, random = itertools.count(1), np.random.default_rng(0)

    def request(size: int, quality: Quality) -> Work:
        """Render a new layout every time, so that no cache answers."""

        def work() -> None:
            synthesizer.render(PictureRequest(_with_dot(layout, random), size=size, quality=quality))

        return work

    def restyle() -> None:
        """Render at a new position of the style mixing slider."""
        mix = 1 - next(counter) % 1000 / 1001
        synthesizer.render(PictureRequest(layout, Style.of_seed(0, mix), DRAFT_SIZE, "draft"))

    def generate(side: int) -> Work:
        def call() -> None:
            moved = ws + 1e-5 * next(counter)
            backend.synthesize_fine(backend.coarse_features(moved), moved, side, None)

        return without_gradients(call)

    return {
        "encoder": without_gradients(lambda: model.encoder(planes, generator)),
        "generator_256": generate(draft_side(generator, DRAFT_SIZE)),
        "generator_1024": generate(full),
        "request_256": request(DRAFT_SIZE, "draft"),
        "request_1024": request(full, "full"),
        "restyled_256": restyle,
        "repaint_256": _repaint_work(synthesizer, layout, 1),
        _OVER_MANY: _repaint_work(synthesizer, layout, _MANY_PATCHES),
    }


def _repaint_work(synthesizer: Synthesizer, layout: np.ndarray, num_patches: int) -> Work:
    """Return the draft of a stroke that is put into a picture of so many patches; the layout is another every time."""
    random = np.random.default_rng(num_patches)
    whole = synthesizer.compose(PictureRequest(layout))
    structural = synthesizer.generator.fine_slots.start
    patches = []
    for _ in range(num_patches):
        ws = whole.base[:structural] + 0.1 * random.standard_normal(whole.base[:structural].shape, np.float32)
        patches.append(Patch(ws, repainted_region(layout, _with_dot(layout, random))))
    repaint = Repaint(replace(whole, patches=tuple(patches)), layout)

    def work() -> None:
        changed = _with_dot(layout, random)
        synthesizer.render(PictureRequest(changed, size=DRAFT_SIZE, quality="draft", repaint=repaint))

    return work


def _with_dot(layout: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return the layout with a dot somewhere, in the class of another place."""
    changed, radius = np.array(layout), len(layout) // 32
    y, x, row, column = random.integers(radius, len(layout) - radius, 4)
    rows, columns = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    dot = changed[y - radius : y + radius + 1, x - radius : x + radius + 1]
    dot[rows**2 + columns**2 <= radius**2] = layout[row, column]
    changed.setflags(write=False)
    return changed


def _training_rates(synthesizer: Synthesizer) -> dict[str, float]:
    """Return `samples_per_s` of a whole training round, encoder steps included, and the time of one step with the
    layout consistency loss, `obedience_step`, in milliseconds."""
    settings = TrainingSettings(precision=synthesizer.backend.precision)
    pace = measured_pace(synthesizer.generator, None, settings, synthesizer.backend)
    return {
        "samples_per_s": round(settings.round_size / pace.round, 2),
        "obedience_step": round(1000 * pace.consistency_step, 2),
    }


def _refine_steps(
    synthesizer: Synthesizer, layout: np.ndarray, repeats: int, progress: Callable[[float], None]
) -> dict[str, list[float]]:
    """Return the milliseconds of a refinement step, forward and backward, with its share of the final evaluation: of a
    whole picture, of one in regions, and of a patch where its layout has changed."""
    generator, model = synthesizer.generator, synthesizer.model
    sides = synthesizer.reading.sides
    layouts = {
        side: layout_channels(layout, model.palette, model.label_kind, side)[None].to(generator.device)
        for side in sides
    }
    ws = latents_of_seed(generator, 1, 0.7)[None]
    unchanged, changed = (np.zeros((_CHANGED_SIDE, _CHANGED_SIDE), np.uint8) for _ in range(2))
    changed[90:140, 90:166] = 1
    with torch.no_grad():
        coarse = synthesizer.backend.coarse_features(latents_of_seed(generator, 2, 0.7)[None])
        around = surroundings_of(coarse, repainted_region(unchanged, changed))
        middle = slice(sides[0] // 3, sides[0] // 2)
        repainted = model.transfer.label(coarse.label_features)
        repainted[:, middle, middle] = layouts[sides[0]][:, middle, middle]
        fine_side = {side: F.interpolate(repainted[:, None].float(), (side, side))[:, 0].long() for side in sides}
    masks = region_masks(layout_channels(layout, model.palette, model.label_kind, MASK_SIDE).numpy())
    whole = Composition(ws[0].cpu().numpy())
    patched = whole.with_patch(Patch(whole.base, repainted_region(unchanged, changed)))

    def steps(target: RefinementTarget, composition: Composition, first: int) -> Work:
        """Args: first: how many steps have been taken before."""
        state = replace(begun(generator, composition, ws, masks), steps=first)
        return lambda: refine(generator, target, state, _REFINE_STEPS)

    as_a_whole = RefinementTarget(synthesizer.reading, layouts, ws)
    in_regions = replace(as_a_whole, region_masks=masks_of(masks, generator.device) if masks else None)
    of_patch = RefinementTarget(synthesizer.reading, fine_side, ws, surroundings=around)
    works = {
        "refine_step": steps(as_a_whole, whole, 0),
        "refine_step_in_regions": steps(in_regions, whole, STEPS_OF_ONE_LATENT),
        "refine_step_in_patch": steps(of_patch, patched, 0),
    }
    times = interleaved(works, repeats, progress)
    return {name: [time / _REFINE_STEPS for time in found] for name, found in times.items()}


def _at_rest(
    synthesizer: Synthesizer, layout: np.ndarray, repeats: int, progress: Callable[[float], None]
) -> dict[str, list[float]]:
    """Return the milliseconds that refinement takes while the hand rests, pictures included: until its first look, and
    until its last."""
    random = np.random.default_rng(1)
    times: dict[str, list[float]] = {"refine_first_look": [], "refine_at_rest": []}
    for repeat in range(repeats):
        progress(repeat / repeats)
        request = PictureRequest(_with_dot(layout, random), size=synthesizer.full_size)
        result = synthesizer.render(request)
        started = time.perf_counter()
        for done in range(0, STEPS_AT_REST, STEPS_AT_ONCE):
            further = replace(request, composition=result.composition, refinement=result.refinement)
            result = synthesizer.render(replace(further, refine_steps=min(STEPS_AT_ONCE, STEPS_AT_REST - done)))
            if done == 0:
                times["refine_first_look"].append(1000 * (time.perf_counter() - started))
        times["refine_at_rest"].append(1000 * (time.perf_counter() - started))
    progress(1.0)
    return times


def _samples_per_second(synthesizer: Synthesizer, repeats: int, progress: Callable[[float], None]) -> float:
    """Return the median of pseudo-labelled training samples a second, without the encoder's own steps."""
    model = synthesizer.model
    pool = SamplePool(
        synthesizer.generator, model.transfer, 0, _SAMPLES, model.palette.num_classes, synthesizer.backend
    )
    times = interleaved({"samples": pool.grow}, repeats, progress)["samples"]
    return round(1000 * _SAMPLES / statistics.median(times), 2)
