"""The figures as a page of tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_RULES = {"vectors": "representative vectors (the paper)", "probe": "probe"}


def markdown(facts: Mapping[str, Any]) -> str:
    """What `smis ground-truth` found, for people."""
    machine = facts["machine"]
    own, renderings = facts["judge_on_own_pictures"], facts["judge_on_renderings"]
    parts = [
        "# Ground truth",
        f"Made by `smis ground-truth` on {facts['date']}: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['system']}, Python {machine['python']}; {facts['seconds'] / 60:.1f} minutes. Generator "
        f"`{facts['generator']}`, weights `{facts['weights_sha256'][:12]}…`.",
        "The pictures of this generator are landscapes whose classes its renderer knows exactly "
        "([how it is made](landscapes.md)). Nine classes: sky, clouds, sun, mountains, forest, water, meadow, road, "
        "house. Shots and judged pictures are different seeds.",
        "## How truly the generator paints what its latents say",
        _table(
            ("", "mIoU", "pixel accuracy"),
            [
                ("judge of pictures, on renderings", _share(renderings["mean_iou"]),
                 _share(renderings["pixel_accuracy"])),
                ("the same judge, on the generator's pictures of the same scenes", _share(own["mean_iou"]),
                 _share(own["pixel_accuracy"])),
            ],
        ),
        f"The generator's pictures come to {facts['likeness_db']:.1f} dB against the renderer's. What lies between "
        "the two lines is the generator's, or foreign to the judge, which was taught on renderings alone.",
        "## Label transfer, dense labels",
        f"At the side of the feature maps, {facts['pictures']} pictures, mean over draws of shots; a class that no "
        "shot held counts as 0.",
        _table(
            ("rule", "shots", "mIoU", "pixel accuracy"),
            [
                (_RULES[row["transfer"]], str(row["shots"]), _share(row["mean_iou"]), _share(row["pixel_accuracy"]))
                for row in facts["dense"]
            ],
        ),
        "IoU by class:",
        _table(
            ("rule", "shots", *facts["dense"][0]["classes"]),
            [
                (row["transfer"], str(row["shots"]), *(_share(iou) for iou in row["classes"].values()))
                for row in facts["dense"]
            ],
        ),
        "## Label transfer, sparse labels",
        "One stroke of at most ten cells a class. Claimed: the share of all cells that get a class. Accuracy: of "
        "those, the share that is right; by class: the mean over the classes that were claimed anywhere.",
        _table(
            ("shots", "k", "t", "claimed", "accuracy", "by class", "classes claimed"),
            [
                (
                    str(row["shots"]), str(row["top_k"]), f"{row['threshold']:.1f}", f"{100 * row['claimed']:.2f} %",
                    _share(row["accuracy"]), _share(row["class_accuracy"]), str(row["classes_claimed"]),
                )
                for row in facts["sparse"]
            ],
        ),
        "## Obedience",
        f"Encoders from {facts['obedience_shots']} shots and {facts['samples']:,} pseudo-labelled samples (with a "
        f"probe then {facts['obedience_steps']} steps for obedience), on {facts['layouts']} layouts that the renderer "
        "made, seen by the judge of pictures.",
        _table(
            ("labels by", "picture", "mIoU", "pixel accuracy"),
            [
                (_RULES[row["transfer"]], row["method"], _share(row["mean_iou"]), _share(row["pixel_accuracy"]))
                for row in facts["obedience"]
            ],
        ),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
