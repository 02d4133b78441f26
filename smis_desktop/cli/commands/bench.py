"""`smis bench`: measure how fast this machine paints and trains."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smis_desktop.cli.command import Command
from smis_desktop.cli.console import Answer, Console
from smis_desktop.cli.files import check_file, given_files
from smis_desktop.cli.opening import add_model_argument, open_model, open_perceptual, open_synthesizer
from smis_desktop.cli.values import add_inversion_argument, whole
from smis_desktop.errors import UserError
from smis_desktop.formats.image_file import PHOTO_SUFFIXES
from smis_desktop.resources import example_layout_path

if TYPE_CHECKING:
    from smis_desktop.evaluation.inversion import Photo
    from smis_desktop.inference.synthesizer import Synthesizer
    from smis_desktop.training.perceptual import PerceptualDistance

_GENERATED = Path()
"""`--inversion` without a folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `smis bench [--paint] [--app] [--ranks N] [--inversion [DIR]] [--compare FILE] …`."""
    add_model_argument(parser)
    parser.add_argument("--paint", action="store_true", help="also painting: from pointer event to canvas and preview")
    parser.add_argument("--app", action="store_true", help="also the program's start-up time, memory and idle load")
    parser.add_argument("--cold", action="store_true", help="with --app: also a start with nothing prepared yet")
    parser.add_argument(
        "--ranks", type=whole(2, 64), metavar="N", help="also training by N processes on this machine, against one"
    )
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="an earlier output of smis bench --json to compare this one with"
    )
    parser.add_argument(
        "--inversion", nargs="?", type=Path, const=_GENERATED, metavar="DIR",
        help="also the inversion of the photos in a (shots) folder, or of three generated pictures, compared with "
        "plain gradient descent of equal time",
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
    """Measure one thing after another; things that are compared take turns."""
    from smis_desktop.evaluation.networks import measure_networks
    from smis_desktop.evaluation.timing import median_ratios, read_earlier_run

    earlier = None if arguments.compare is None else read_earlier_run(arguments.compare)
    if arguments.sheet is not None:
        if arguments.inversion is None:
            raise UserError(f"There is no inversion to show in {arguments.sheet}; add --inversion.")
        check_file(arguments.sheet)
    photos = None if arguments.inversion in (None, _GENERATED) else _read_photos(arguments.inversion)
    model = open_model(arguments.model)
    perceptual = None if arguments.inversion is None else open_perceptual(console)
    synthesizer = open_synthesizer(model, console)
    facts = {
        **_conditions(synthesizer),
        "repeats": arguments.repeats,
        **measure_networks(synthesizer, arguments.repeats, not arguments.no_peer, console.progress),
    }
    if arguments.paint:
        facts |= _painting(arguments, console)
    if perceptual is not None:
        facts["inversion"] = _inversion(arguments, synthesizer, perceptual, photos, console)
    if arguments.ranks is not None:
        from smis_desktop.evaluation.several_processes import several_processes_figures

        words = f"Training by {arguments.ranks} processes and by one"
        facts["ranks"] = several_processes_figures(
            synthesizer.generator, arguments.ranks, partial(console.progress, words)
        )
    if arguments.app:
        from smis_desktop.evaluation.application import application_figures

        console.progress("Starting the program", -1.0)
        found = application_figures(arguments.model, arguments.cold)
        facts["application"] = None if isinstance(found, str) else found
        facts["application_reason"] = found if isinstance(found, str) else None
    if earlier is not None:
        facts["compared"] = median_ratios(facts, earlier)
    return Answer(facts, _table(facts))


def _conditions(synthesizer: Synthesizer) -> dict[str, Any]:
    """Return what the figures depend on: the machine, what computes, generator and model."""
    import torch

    from smis_desktop.evaluation import timing

    return {
        "machine": timing.machine(),
        "threads": torch.get_num_threads(),
        "device": timing.device(),
        "backend": synthesizer.backend.name,
        "generator": synthesizer.generator.name,
        "img_resolution": synthesizer.generator.img_resolution,
        "model": synthesizer.model.name,
    }


def _read_photos(folder: Path) -> list[Photo]:
    """Read the photos of a shots folder, or of any folder of pictures. Raises UserError when it holds none."""
    from smis_desktop.evaluation.inversion import read_photos

    images = folder / "images"
    return read_photos(given_files([images if images.is_dir() else folder], PHOTO_SUFFIXES, "photos"))


def _painting(arguments: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure a recorded painting, in memory and in a window."""
    from smis_desktop.evaluation.application import painting_recording, stroke_milliseconds
    from smis_desktop.evaluation.timing import figures

    stroke = figures(stroke_milliseconds(repeats=3))
    console.progress("Painting in a window while the preview runs", -1.0)
    times = arguments.paint_in_window(arguments.model, painting_recording(), None)
    console.progress("Repainting a picture in a window", -1.0)
    repainting = arguments.paint_in_window(arguments.model, painting_recording(), example_layout_path())
    return {
        "stroke": stroke,
        "event_to_canvas": figures(times.to_canvas),
        "event_to_preview": figures(times.to_preview),
        "event_to_repainted": figures(repainting.to_preview),
    }


def _inversion(
    arguments: argparse.Namespace,
    synthesizer: Synthesizer,
    perceptual: PerceptualDistance,
    photos: list[Photo] | None,
    console: Console,
) -> dict[str, Any]:
    """Measure the inversion of the photos, or of generated pictures; write the sheet if one is wanted."""
    from smis_desktop.evaluation.inversion import (
        generated_photos,
        inversion_figures,
        inversion_sheet,
        invert_both_ways,
    )
    from smis_desktop.formats.image_file import write_picture
    from smis_desktop.training.inversion import InversionSettings

    pairs = invert_both_ways(
        synthesizer.generator,
        perceptual,
        photos or generated_photos(synthesizer.generator),
        InversionSettings.of(arguments.inversion_steps),
        partial(console.progress, "Inverting photos"),
    )
    if arguments.sheet is not None:
        write_picture(arguments.sheet, inversion_sheet(pairs))
    return inversion_figures(pairs)


def _table(facts: dict[str, Any]) -> str:
    machine = facts["machine"]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores; {facts['device']}, {facts['threads']} threads, "
        f"{facts['backend']}",
        f"{'ms':<22}{'median':>10}{'p95':>10}{'p99':>10}",
    ]
    timed = {name: value for name, value in facts.items() if isinstance(value, dict) and "median" in value}
    if "inversion" in facts:
        timed["inversion step"] = facts["inversion"]["step"]
    for name, value in timed.items():
        line = f"{name:<22}" + "".join(f"{value[key]:>10.2f}" for key in ("median", "p95", "p99"))
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
        f"(a step with the layout consistency loss: {training['obedience_step']} ms)"
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
