"""One process of several, started by test_distributed: trains the small generator's model and writes its weights, and
where a search would begin."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from smis_desktop.storage.safetensors_file import write_tensors
from smis_desktop.training.distributed import exit_immediately, launched_process_group
from tests.small_generator import small_generator
from tests.training.test_training import run, weights
from tests.training.where_a_search_begins import start


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with launched_process_group() as group:
        model, events = run(small_generator(), folder / "training", group=group)
        assert group.is_main_process == bool(events), "only the main process reports"
        found = {**weights(model), "start": start(group)}
        write_tensors(folder / f"rank-{group.rank}.safetensors", "test", 1, found, {})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    exit_immediately(0)
