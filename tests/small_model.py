"""A personal model for the small generator, trained for a moment."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from torch import Tensor

from smis_desktop.document.palette import Palette, SemanticClass
from smis_desktop.generators.generator import seeded_z
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference.backends import TorchBackend
from smis_desktop.personal_model.label_transfer import TrainingShot, TransferKind
from smis_desktop.personal_model.model import PersonalModel
from smis_desktop.training.training import TrainingContext, TrainingSettings, train

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
        consistency_steps=2,
        consistency_batch_size=2,
    )

    def no_photo() -> NoReturn:
        raise AssertionError("there is no photo to invert")

    return train(
        TrainingContext(
            "small", generator, [shot], PALETTE, settings, Forgetful(), lambda event: None, no_photo,
            TorchBackend(generator),
        )
    )  # fmt: skip
