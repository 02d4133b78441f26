"""`smis bench`: how fast this machine paints and learns."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console
from smis_desktop.cli.files import check_file
from smis_desktop.cli.opening import add_model_argument, open_model, open_perceptual, open_synthesizer
from smis_desktop.cli.values import add_inversion_argument, whole
from smis_desktop.errors import UserError

if TYPE_CHECKING:
    from smis_desktop.inference.synthesizer import Synthesizer

_PICTURES = 16
"""That are held against torch's full ones, at most."""
_GENERATED = Path()
"""`--inversion` without a folder."""
_AGAINST_PEER = ("generator_1024", "request_1024", "request_256")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`smis bench [--paint] [--app [--cold]] [--ranks N] [--inversion [DIR] [--sheet FILE]] [--repeats N] [--no-peer]
    [--compare FILE]`."""
    add_model_argument(parser)
    parser.add_argument("--paint", action="store_true", help="also painting: from pointer event to canvas and preview")
    parser.add_argument("--app", action="store_true", help="also the program's start, its memory, its work at rest")
    parser.add_argument("--cold", action="store_true", help="with --app: also a start with nothing prepared yet")
    parser.add_argument(
        "--ranks", type=whole(2, 64), metavar="N", help="also training by N processes on this machine, against one"
    )
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="an earlier output of smis bench --json to hold this against"
    )
    parser.add_argument(
        "--inversion", nargs="?", type=Path, const=_GENERATED, metavar="DIR",
        help="also the inversion of the photos in a (shots) folder, or of three generated pictures, beside a plain "
        "descent of equal time",
    )  # fmt: skip
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="FILE",
        help="with --inversion: write photo, inversion and plain descent side by side",
    )
    add_inversion_argument(parser)
    parser.add_argument(
        "--repeats", type=whole(1, 10_000), default=20, metavar="N", help="runs of each measurement (default: 20)"
    )
    parser.add_argument(
        "--no-peer", action="store_true", help="leave out OpenVINO's run of the generator's original files"
    )


def run(arguments: argparse.Namespace, console: Console) -> Answer:
    """Measure, one thing after another; what is to be compared takes turns."""
    import torch

    from smis_desktop.evaluation import networks
    from smis_desktop.evaluation import timing as machine
    from smis_desktop.evaluation.comparison import compared, read_earlier
    from smis_desktop.evaluation.inversion import (
        generated_photos,
        inversion_figures,
        inversion_sheet,
        invert_both_ways,
        photos_in,
    )
    from smis_desktop.evaluation.networks import picture_psnr
    from smis_desktop.evaluation.timing import figures
    from smis_desktop.formats.image_file import write_picture
    from smis_desktop.training.inversion import InversionSettings

    earlier = None if arguments.compare is None else read_earlier(arguments.compare)
    if arguments.sheet is not None:
        if arguments.inversion is None:
            raise UserError(f"There is no inversion to show in {arguments.sheet}; add --inversion.")
        check_file(arguments.sheet)
    photos = None if arguments.inversion in (None, _GENERATED) else photos_in(arguments.inversion)
    model = open_model(arguments.model)
    perceptual = None if arguments.inversion is None else open_perceptual(console)
    synthesizer = open_synthesizer(model, console)
    layout = networks.layout_to_measure(synthesizer)
    facts: dict[str, Any] = {
        "machine": machine.machine(),
        "threads": torch.get_num_threads(),
        "device": machine.device(),
        "backend": synthesizer.backend.name,
        "generator": synthesizer.generator.name,
        "img_resolution": synthesizer.generator.img_resolution,
        "model": model.name,
        "repeats": arguments.repeats,
        **_networks(arguments, synthesizer, networks.works(synthesizer, layout), console),
    }
    words = "Measuring a refinement step"
    steps = networks.refine_step(synthesizer, layout, arguments.repeats, lambda f: console.progress(words, f))
    facts["refine_step"] = figures(steps)
    facts["samples_per_s"] = networks.samples_per_second(
        synthesizer, arguments.repeats, lambda f: console.progress("Making training samples", f)
    )
    facts["training"] = networks.training_rates(synthesizer)
    facts["psnr"] = picture_psnr(
        synthesizer.generator,
        synthesizer.backend,
        min(_PICTURES, arguments.repeats),
        lambda f: console.progress("Holding pictures against torch's full ones", f),
    )
    if arguments.paint:
        from smis_desktop.evaluation.painting import painting_recording, stroke_milliseconds

        facts["stroke"] = figures(stroke_milliseconds(repeats=3))
        console.progress("Painting in a window while the preview runs", -1.0)
        painted = arguments.paint_in_window(arguments.model, painting_recording())
        if painted is not None:
            facts["event_to_canvas"] = figures(painted.to_canvas)
            facts["event_to_preview"] = figures(painted.to_preview)
    if perceptual is not None:
        photos = photos or generated_photos(synthesizer.generator)
        count = arguments.inversion_steps
        pairs = invert_both_ways(
            synthesizer.generator,
            perceptual,
            photos,
            InversionSettings() if count is None else InversionSettings(steps=count),
            lambda f: console.progress("Inverting photos", f),
        )
        facts["inversion"] = inversion_figures(pairs)
        if arguments.sheet is not None:
            write_picture(arguments.sheet, inversion_sheet(pairs))
    if arguments.ranks is not None:
        from smis_desktop.evaluation.several_processes import several_processes_figures

        words = f"Training by {arguments.ranks} processes and by one"
        facts["ranks"] = several_processes_figures(
            synthesizer.generator, arguments.ranks, lambda f: console.progress(words, f)
        )
    if arguments.app:
        from smis_desktop.evaluation.application import application_figures

        console.progress("Starting the program", -1.0)
        found = application_figures(arguments.model, arguments.cold)
        facts["application"] = None if isinstance(found, str) else found
        facts["application_reason"] = found if isinstance(found, str) else None
    if earlier is not None:
        facts["compared"] = compared(facts, earlier)
    return Answer(facts, _table(facts))


def _networks(
    arguments: argparse.Namespace, synthesizer: Synthesizer, works: dict[str, Any], console: Console
) -> dict[str, Any]:
    """Figures of the networks, of the peer and of the arithmetic limit, all taken in turns."""
    from smis_desktop.evaluation.networks import MATRIX_FLOP, matrix_work, peer_work, synthesis_flop
    from smis_desktop.evaluation.timing import figures, interleaved, ratio

    generator = synthesizer.generator
    peer = "left out by --no-peer" if arguments.no_peer else peer_work(generator, console.progress)
    # The peer right behind the generator: a machine that slows down or speeds up does it to both.
    ordered: dict[str, Any] = {}
    for name, work in works.items():
        ordered[name] = work
        if name == "generator_1024":
            if not isinstance(peer, str):
                ordered["peer_1024"] = peer
            ordered["matrix product"] = matrix_work(generator)
    words = "Measuring encoder, generator and requests"
    taken = interleaved(ordered, arguments.repeats, lambda f: console.progress(words, f))
    products = taken.pop("matrix product")
    flop = synthesis_flop(generator)
    found: dict[str, Any] = {name: figures(times) for name, times in taken.items()}
    limits = [taken_ms * flop / MATRIX_FLOP for taken_ms in products]
    peers = taken.get("peer_1024")
    found["ratios"] = {
        "generator_1024 / limit_1024": ratio(taken["generator_1024"], limits),
        **({} if peers is None else {f"{name} / peer_1024": ratio(taken[name], peers) for name in _AGAINST_PEER}),
    }
    found["styles_per_s"] = round(1000 / found["restyled_256"]["median"], 2)
    found["peer_1024"] = found.get("peer_1024")
    found["peer_reason"] = peer if isinstance(peer, str) else None
    found["limit_1024"] = figures(limits)
    found["generator_1024_gflop"] = round(flop / 1e9, 2)
    found["matrix_product_gflop_per_s"] = round(MATRIX_FLOP / 1e6 / figures(products)["median"], 1)
    return found


def _table(facts: dict[str, Any]) -> str:
    machine = facts["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores; {facts['device']}, {facts['threads']} threads, "
        f"{facts['backend']}",
        f"{'ms':<16}{'median':>10}{'p95':>10}{'p99':>10}",
    ]
    timed = {name: value for name, value in facts.items() if isinstance(value, dict) and "median" in value}
    if "inversion" in facts:
        timed["inversion step"] = facts["inversion"]["step"]
    for name, value in timed.items():
        line = f"{name:<16}" + "".join(f"{value[key]:>10.2f}" for key in ("median", "p95", "p99"))
        factor = facts.get("compared", {}).get(name)
        lines.append(line if factor is None else f"{line}   × {factor:.2f} of earlier")
    if facts["peer_1024"] is None:
        lines.append(f"peer_1024: not measured ({facts['peer_reason']})")
    for name, value in facts["ratios"].items():
        lines.append(f"{name}: {value}")
    lines.append(f"pictures a second while a style fader is drawn: {facts['styles_per_s']}")
    training = facts["training"]
    lines.append(
        f"training samples a second: {facts['samples_per_s']}; with the encoder's steps: {training['samples_per_s']} "
        f"(a step for obedience: {training['obedience_step']} ms)"
    )
    if "ranks" in facts:
        ranks = facts["ranks"]
        lines.append(
            f"training by {ranks['count']} processes: {ranks['samples_per_s']} samples a second, "
            f"{ranks['ratio']} × one process"
        )
    for side, value in facts["psnr"].items():
        lines.append(f"pictures of {side}² against torch's full one: {value['mean']} dB, the worst {value['worst']} dB")
    if (application := facts.get("application")) is not None:
        lines.append(
            f"the program: first picture after {application['first_preview_s']} s; "
            f"at rest {application['idle_cpu_percent']} % of a core and {application['memory_mib']} MiB"
        )
        if "cold_first_preview_s" in application:
            lines.append(f"with nothing prepared: first picture after {application['cold_first_preview_s']} s")
    elif facts.get("application_reason"):
        lines.append(f"the program: not measured ({facts['application_reason']})")
    if "inversion" in facts:
        lines += _inversion_lines(facts["inversion"])
    return "\n".join(lines)


def _inversion_lines(inversion: dict[str, Any]) -> list[str]:
    lines = [f"{'found again':<16}{'perceptual':>12}{'dB':>8}{'latents':>9}{'steps':>7}{'s':>7}"]
    for photo in inversion["photos"]:
        for words, way in ((photo["name"], "inversion"), ("  plain L1", "plain")):
            of = photo[way]
            lines.append(
                f"{words:<16}{of['perceptual']:>12.3f}{of['psnr']:>8.1f}{of['latent_distance']:>9.2f}{of['steps']:>7}"
                f"{of['seconds']:>7.1f}"
            )
    mean = inversion["mean"]
    lines.append(
        f"on average: perceptual {mean['inversion']['perceptual']:.3f} against {mean['plain']['perceptual']:.3f}, "
        f"{mean['inversion']['psnr']:.1f} dB against {mean['plain']['psnr']:.1f}"
    )
    return lines


COMMAND = Command(
    "bench",
    "measure how fast this machine paints and learns",
    order=100,
    add_arguments=add_arguments,
    run=run,
)
