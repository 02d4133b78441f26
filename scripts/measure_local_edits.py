"""Measures how local edits are, for docs/results.md: `python scripts/measure_local_edits.py`, half an hour.

Forty edits of eleven layouts (smis_desktop/evaluation/local_edits.py), each painted as a whole picture, as a patch, and
as a patch that is refined. Printed are the change outside the soft edge, in grey levels, and the IoU of the changed
classes near the change, by what the model reads off the features and by a second reading of the finished picture.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT))

from smis_desktop.cli.console import Console  # noqa: E402
from smis_desktop.cli.opening import open_model, open_perceptual, open_synthesizer  # noqa: E402
from smis_desktop.evaluation.edit_measures import READINGS, EditRenderer, Way, averages, measure, ways  # noqa: E402
from smis_desktop.evaluation.local_edits import recorded_edits  # noqa: E402
from smis_desktop.evaluation.picture_reader import PictureReader, agreement, learn_picture_reader  # noqa: E402
from smis_desktop.inference.synthesizer import Synthesizer  # noqa: E402
from smis_desktop.resources import default_model_path  # noqa: E402
from smis_desktop.storage.safetensors_file import read_tensors, write_tensors  # noqa: E402
from smis_desktop.workers.preview_thread import STEPS_AT_REST  # noqa: E402

READER_KIND = "picture-reader"


def main() -> None:
    """Print the figures of each edit, and their averages."""
    parser = argparse.ArgumentParser(description="Measure how local edits are.")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N edits")
    parser.add_argument("--steps", type=int, default=STEPS_AT_REST, help="steps of refinement (default: %(default)s)")
    parser.add_argument("--reader", type=Path, metavar="FILE", help="keep the second reading here (it takes minutes)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    console = Console(sys.stdout, sys.stderr)
    model = open_model(default_model_path())
    synthesizer = open_synthesizer(model, console)
    reader = opened_reader(arguments.reader, synthesizer, console)
    counts = agreement(reader, synthesizer.generator, model)
    agreed = float(counts.diagonal().sum() / counts.sum())
    edits = recorded_edits(synthesizer.generator, model)[: arguments.limit]
    compared = ways(arguments.steps)
    rows = measure(edits, EditRenderer(synthesizer, arguments.steps), compared, reader.read, console.progress)
    facts = {"readings_agree": agreed, "averages": averages(rows, compared), "edits": rows}
    print(json.dumps(facts, indent=1) if arguments.json else table(facts, compared))


def opened_reader(path: Path | None, synthesizer: Synthesizer, console: Console) -> PictureReader:
    """Open the second reading that was kept at `path`; else learn it, and keep it there."""
    model, perceptual = synthesizer.model, open_perceptual(console)
    if path is not None and path.is_file():
        tensors, _ = read_tensors(path, READER_KIND, 1, "delete it; it is learned again")
        reader = PictureReader(perceptual, model.palette.class_ids)
        reader.load_state_dict(tensors)
        return reader.to(synthesizer.generator.device)
    reader = learn_picture_reader(synthesizer.generator, model, perceptual, console.progress)
    if path is not None:
        write_tensors(path, READER_KIND, 1, reader.state_dict(), {"model": model.name})
    return reader


def table(facts: dict[str, Any], compared: tuple[Way, ...]) -> str:
    """Return the figures as lines of text."""
    heads = [f"{way.name:^31}" for way in compared]
    columns = "".join(f"{'mean':>7}{'p99':>6}" + "".join(f"{reading:>9}" for reading in READINGS) for _ in compared)
    lines = [
        f"The readings agree on {facts['readings_agree']:.3f} of the cells of random pictures.",
        f"{'':<42}{''.join(heads)}",
        f"{'edit':<20}{'face':<12}{'kind':<7}{'':<3}{columns}",
    ]
    for row in facts["edits"]:
        cells = "".join(
            f"{row[way.name]['outside_mean']:7.2f}{row[way.name]['outside_p99']:6.0f}"
            + "".join(f"{row[way.name][reading]['iou']:9.2f}" for reading in READINGS)
            for way in compared
        )
        lines.append(f"{row['name']:<20}{row['face']:<12}{row['kind']:<7}{'':<3}{cells}")
    for name, kind in (("all", ""), ("thin ones", "_thin")):
        cells = "".join(
            f"{mean['outside_mean']:7.2f}{mean['outside_p99']:6.1f}"
            + "".join(f"{mean[f'{reading}_iou{kind}']:9.3f}" for reading in READINGS)
            for mean in (facts["averages"][way.name] for way in compared)
        )
        lines.append(f"{name:<42}{cells}")
        before = ", ".join(
            f"{reading} {facts['averages']['before'][f'{reading}_iou{kind}']:.3f}" for reading in READINGS
        )
        lines.append(f"  (the pictures before, in the same places against their own layouts: {before})")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
