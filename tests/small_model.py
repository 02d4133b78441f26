"""A personal model for the small generator, trained for a moment."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from smis_desktop.fewshot.personal_model import PersonalModel
from smis_desktop.fewshot.training import TrainingSettings, train
from smis_desktop.fewshot.training_shot import TrainingShot
from smis_desktop.fewshot.transfer import TransferKind
from smis_desktop.gan.latents import seeded_z
from smis_desktop.gan.mobile_stylegan import MobileStyleGAN
from smis_desktop.labels.palette import Palette, SemanticClass

PALETTE = Palette(tuple(SemanticClass(i, f"class {i}", (i * 20, 10, 0)) for i in (0, 3, 7, 9)))


class Forgetful:
    """A training store that keeps nothing."""

    def read(self, name: str) -> dict[str, Tensor] | None:
        return None

    def write(self, name: str, tensors: dict[str, Tensor]) -> None:
        pass


def small_model(generator: MobileStyleGAN, transfer: TransferKind = "probe") -> PersonalModel:
    """Classes 0, 3 and 7 are learned, class 9 is in the palette alone."""
    ws = generator.broadcast(generator.mapping(seeded_z(1, generator.w_dim)))
    strongest = generator.features(ws, [64])[64][0, :3].argmax(0).numpy()
    shot = TrainingShot("shot", np.array([0, 3, 7], np.uint8)[strongest], ws=ws[0])
    settings = TrainingSettings(
        samples=4,
        round_size=4,
        steps_per_round=2,
        batch_size=4,
        encoder_width=8,
        transfer=transfer,
        obedience_steps=2,
        obedience_batch_size=2,
    )

    def no_photo() -> None:
        raise AssertionError("there is no photo to invert")

    return train("small", generator, no_photo, [shot], PALETTE, settings, Forgetful(), lambda event: None)  # type: ignore[arg-type]
