"""Label transfer and layout fidelity against rendered landscapes, whose classes are exact.

It is a U-Net (Ronneberger et al. 2015, arXiv 1505.04597) of two levels. Half of its lessons are blurred, so that a
generator's softer pictures are no surprise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smis_desktop.document.reduction import reduce_label_map
from smis_desktop.document.style import Style
from smis_desktop.errors import UserError
from smis_desktop.evaluation.metrics import confusion_matrix, mean_iou, pixel_accuracy
from smis_desktop.generators.generator import Generator, latents_of_seed, seeded_z
from smis_desktop.generators.layers import freeze
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.inference.synthesizer import PictureRequest, Synthesizer
from smis_desktop.landscapes.rendering import class_map, render
from smis_desktop.landscapes.shapes import PALETTE
from smis_desktop.personal_model.encoder import layout_channels
from smis_desktop.personal_model.label_transfer import TrainingShot, TransferKind
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.training.events import StageProgress, TrainingEvent
from smis_desktop.training.perceptual import PerceptualDistance
from smis_desktop.training.training import TrainingContext, TrainingSettings, train
from smis_desktop.workers.preview_thread import STEPS_AT_REST

_IDS = np.array([*PALETTE.class_ids, 255], np.uint8)  # by channel; -1 (unknown) reads the last entry


@dataclass(frozen=True, eq=False)
class ExactPicture:
    """A seed's picture. `ws` float32 [num_ws, D]; `label_map` uint8 [R, R] class ids, R = the generator's side;
    `labels` int64 [r, r], the same in channels at the side that labels are read at."""

    seed: int
    ws: Tensor
    label_map: np.ndarray
    labels: Tensor


def exact_picture(generator: Generator, seed: int) -> ExactPicture:
    """From the seed's `z`, without truncation: pulled to the mean, latents would say nothing of a scene."""
    z = seeded_z(seed, generator.w_dim).numpy()
    label_map = class_map(z, generator.img_resolution)[0]
    labels = layout_channels(label_map, PALETTE, "dense", generator.feature_resolution)
    return ExactPicture(seed, latents_of_seed(generator, seed, 1.0), label_map, labels)


def rendered_picture(generator: Generator, seed: int) -> Tensor:
    """What the generator should make of the seed: [1, 3, R, R] in [-1, 1]."""
    picture = render(seeded_z(seed, generator.w_dim).numpy(), generator.img_resolution)
    return torch.from_numpy(picture).permute(0, 3, 1, 2) * 2 - 1


def likeness(generator: Generator, seeds: Iterable[int]) -> float:
    """Mean PSNR of the generator's pictures against the renderer's, in dB."""
    found = []
    with torch.inference_mode():
        for seed in seeds:
            made = generator.synthesis(latents_of_seed(generator, seed, 1.0)[None]).clamp(-1, 1).cpu()
            found.append(10 * torch.log10(4 / (made - rendered_picture(generator, seed)).square().mean()))
    return float(torch.stack(found).mean())


def compared(wanted: Sequence[Tensor], found: Sequence[Tensor]) -> np.ndarray:
    """The confusion matrix (see `fewshot.metrics`) of label maps in channels, int64 [r, r] each; -1 = unknown."""
    total = np.zeros((PALETTE.num_classes, PALETTE.num_classes + 1), np.int64)
    for one, other in zip(wanted, found, strict=True):
        total += confusion_matrix(_IDS[one.numpy()], _IDS[other.numpy()], PALETTE)
    return total


SIDE = 64
_BATCH, _RATE = 16, 3e-3
_Z_DIM = 512


class Judge(nn.Module):
    """Pictures [N, 3, 64, 64] in [-1, 1] → class scores [N, C, 64, 64]."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = _Convs(5, 32)
        self.middle = _Convs(32, 64)
        self.coarse = _Convs(64, 96)
        self.up_middle = _Convs(96 + 64, 64)
        self.up_fine = _Convs(64 + 32, 32)
        self.out = nn.Conv2d(32, PALETTE.num_classes, 1)

    def forward(self, picture: Tensor) -> Tensor:
        fine = self.fine(torch.cat((picture, _places(picture)), 1))
        middle = self.middle(F.max_pool2d(fine, 2))
        coarse = self.coarse(F.max_pool2d(middle, 2))
        middle = self.up_middle(torch.cat((F.interpolate(coarse, scale_factor=2.0), middle), 1))
        fine = self.up_fine(torch.cat((F.interpolate(middle, scale_factor=2.0), fine), 1))
        scores: Tensor = self.out(fine)
        return scores

    def labels(self, picture: Tensor) -> Tensor:
        """Pictures [N, 3, S, S] in [-1, 1], S ≥ 64 → classes in channels, int64 [N, 64, 64]."""
        with torch.no_grad():
            reduced = F.interpolate(picture.clamp(-1, 1), size=(SIDE, SIDE), mode="area")
            found: Tensor = self(reduced).argmax(1)
        return found


class _Convs(nn.Sequential):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1), nn.GroupNorm(8, outputs), nn.SiLU(),
        )  # fmt: skip


def _places(picture: Tensor) -> Tensor:
    """Where each pixel is, [N, 2, H, W] in [-1, 1]: sky is above, meadow below."""
    line = torch.linspace(-1, 1, picture.shape[-1])
    return torch.stack(torch.meshgrid(line, line, indexing="ij")).expand(len(picture), -1, -1, -1)


def taught_judge(pictures: int, steps: int, seed: int, progress: Callable[[float], None]) -> Judge:
    """Learns from that many renderings, in that many steps; progress hears of the share that is done."""
    draws = np.random.default_rng(seed)
    shown, asked = [], []
    for start in range(0, pictures, _BATCH):
        count = min(_BATCH, pictures - start)
        z, light = draws.standard_normal((2, count, _Z_DIM)).astype(np.float32)
        shown.append(render(z, SIDE, light))
        asked.append(np.stack([reduce_label_map(one, SIDE) for one in class_map(z, 2 * SIDE)]))
        progress(0.3 * start / pictures)
    inputs = torch.from_numpy(np.concatenate(shown)).permute(0, 3, 1, 2) * 2 - 1
    channels = torch.from_numpy(PALETTE.channel_of[np.concatenate(asked)].astype(np.int64))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = Judge()
    adam = torch.optim.AdamW(judge.parameters(), lr=_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    random = torch.Generator().manual_seed(seed)
    for step in range(steps):
        chosen = torch.randint(pictures, (_BATCH,), generator=random)
        blurred = F.interpolate(F.avg_pool2d(inputs[chosen], 2), scale_factor=2.0, mode="bilinear")
        share = torch.rand(_BATCH, 1, 1, 1, generator=random) * (torch.rand(_BATCH, 1, 1, 1, generator=random) < 0.5)
        picture = torch.lerp(inputs[chosen], blurred, share)
        picture = picture + 0.03 * torch.randn(picture.shape, generator=random)
        loss = F.cross_entropy(judge(picture), channels[chosen])
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
        progress(0.3 + 0.7 * (step + 1) / steps)
    return freeze(judge)


def trained_briefly(
    generator: Generator,
    pictures: Sequence[ExactPicture],
    transfer: TransferKind,
    samples: int,
    consistency_steps: int,
    progress: Callable[[float], None],
) -> PersonalModel:
    """A personal model from exact shots, by that many pseudo-labelled samples."""
    shots = [TrainingShot(str(p.seed), p.label_map, ws=p.ws) for p in pictures]
    settings = TrainingSettings(
        transfer=transfer, samples=samples, round_size=min(64, samples), consistency_steps=consistency_steps
    )

    def on_event(event: TrainingEvent) -> None:
        if isinstance(event, StageProgress):
            progress(event.overall)

    backend = TorchBackend(generator, settings.precision)
    return train(
        TrainingContext("landscapes", generator, shots, PALETTE, settings, _Memory(), on_event, _no_photo, backend)
    )


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
