"""How well pictures obey layouts, seen by a judge of pictures: the encoder alone, with a style, refined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from smis_desktop.commands.truth.exact import ExactPicture, compared, rendered_picture
from smis_desktop.commands.truth.judge import Judge
from smis_desktop.errors import UserError
from smis_desktop.fewshot.events import EncoderProgress, ObedienceProgress, TrainingEvent
from smis_desktop.fewshot.metrics import mean_iou, pixel_accuracy
from smis_desktop.fewshot.perceptual import PerceptualDistance
from smis_desktop.fewshot.personal_model import PersonalModel
from smis_desktop.fewshot.training import TrainingSettings, train
from smis_desktop.fewshot.training_shot import TrainingShot
from smis_desktop.fewshot.transfer import TransferKind
from smis_desktop.gan.protocol import Generator
from smis_desktop.jobs.preview import STEPS_AT_REST
from smis_desktop.landscapes.classes import PALETTE
from smis_desktop.style import Style
from smis_desktop.synthesis import PictureRequest, Synthesizer


def trained_briefly(
    generator: Generator,
    pictures: Sequence[ExactPicture],
    transfer: TransferKind,
    samples: int,
    obedience_steps: int,
    progress: Callable[[float], None],
) -> PersonalModel:
    """A personal model from exact shots, by that many pseudo-labelled samples."""
    shots = [TrainingShot(str(p.seed), p.label_map, ws=p.ws) for p in pictures]
    settings = TrainingSettings(
        transfer=transfer, samples=samples, round_size=min(64, samples), obedience_steps=obedience_steps
    )

    def hear(event: TrainingEvent) -> None:
        match event:
            case EncoderProgress():
                progress(0.6 * event.samples / event.total_samples)
            case ObedienceProgress():
                progress(0.6 + 0.4 * event.step / event.steps)

    return train("landscapes", generator, _no_photo, shots, PALETTE, settings, _Memory(), hear)


def obedience(
    generator: Generator,
    model: PersonalModel,
    judge: Judge,
    layouts: Sequence[ExactPicture],
    mix: float,
    refine_steps: int,
) -> dict[str, Any]:
    """mIoU and accuracy of what the judge sees in the pictures of the layouts, each in a style of its own."""
    synthesizer = Synthesizer(generator, model)
    found = []
    for number, layout in enumerate(layouts):
        request = PictureRequest(
            layout.label_map, Style.of_seed(number, mix), generator.img_resolution, refine_steps=refine_steps
        )
        picture = torch.from_numpy(synthesizer.render(request).picture).permute(2, 0, 1)[None] / 127.5 - 1
        found.append(judge.labels(picture)[0])
    return {"mix": mix, "refine": refine_steps, **_figures(layouts, found)}


def judge_on_renderings(generator: Generator, judge: Judge, pictures: Sequence[ExactPicture]) -> dict[str, float]:
    """What the judge is worth: its figures on renderings, whose classes are exact."""
    return _figures(pictures, [judge.labels(rendered_picture(generator, p.seed))[0] for p in pictures])


def judge_on_own_pictures(generator: Generator, judge: Judge, pictures: Sequence[ExactPicture]) -> dict[str, float]:
    """On the generator's pictures of known scenes: how truly it paints what its latents say, as far as can be seen."""
    with torch.inference_mode():
        found = [judge.labels(generator.synthesis(p.ws[None]).cpu())[0] for p in pictures]
    return _figures(pictures, found)


METHODS = (("encoder alone", 0.0, 0), ("encoder, style-mixed", 1.0, 0), ("refined, style-mixed", 1.0, STEPS_AT_REST))
"""Name, strength of style mixing, refinement steps."""


def _figures(pictures: Sequence[ExactPicture], found: Sequence[Tensor]) -> dict[str, float]:
    matrix = compared([picture.labels for picture in pictures], found)
    return {"mean_iou": mean_iou(matrix), "pixel_accuracy": pixel_accuracy(matrix)}


def _no_photo() -> PerceptualDistance:
    raise UserError("Pictures of known latents need no inversion.")


class _Memory:
    """A training that nobody goes on with keeps its stages in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Tensor]] = {}

    def read(self, name: str) -> dict[str, Tensor] | None:
        return self._kept.get(name)

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        self._kept[name] = tensors
