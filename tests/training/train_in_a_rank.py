"""One process of several, started by test_ranks: trains the small generator's model and writes its weights, and where a
search would begin."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import torch

from smis_desktop.storage.safetensors_file import write_tensors
from smis_desktop.training.distributed import end_at_once, launched_process_group
from tests.small_generator import small_generator
from tests.training.test_training import run, weights
from tests.training.where_a_search_begins import start


def main(folder: Path, shares_memory: bool) -> None:
    torch.set_num_threads(1)
    with launched_process_group() as launched:
        ranks = dataclasses.replace(launched, shares_memory=shares_memory)
        model, events = run(small_generator(), folder / "training", ranks=ranks)
        assert ranks.is_first == bool(events), "only the first process tells"
        told = {**weights(model), "start": start(ranks)}
        write_tensors(folder / f"rank-{ranks.rank}.safetensors", "test", 1, told, {})


if __name__ == "__main__":
    main(Path(sys.argv[1]), "apart" not in sys.argv)
    end_at_once(0)
