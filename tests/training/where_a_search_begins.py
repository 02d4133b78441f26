"""The same question to one process and to several."""

from __future__ import annotations

import torch

from smis_desktop.inference.backends import TorchBackend
from smis_desktop.training.distributed import ProcessGroup
from smis_desktop.training.stages.inversion import InversionInit
from tests.small_generator import part_prior_of, small_generator


def start(group: ProcessGroup) -> torch.Tensor:
    """`w` [24] for a layout whose upper half is one class."""
    generator = small_generator()
    generator.part_prior = part_prior_of(generator)
    looking = InversionInit(generator, TorchBackend(generator), 0, 6, 12, lambda so_far: None, group)
    layout = (torch.arange(64) < 32).long()[:, None].expand(64, 64).contiguous()
    (found,) = looking.of([layout], [None], 2)
    assert found is not None
    return found.clone()
