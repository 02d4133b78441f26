"""A copy of the golden files of each version, its data folder the program's own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.golden.pictures import Arrays

HERE = Path(__file__).parent
VERSIONS = sorted(path.parent.name for path in HERE.glob("*/expected.json"))


@dataclass(frozen=True)
class Golden:
    """folder: the copy. expected: what its files hold; arrays: in numbers."""

    folder: Path
    expected: dict[str, Any]
    arrays: Arrays

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def library(self) -> Path:
        return self.data / "paintings" / "models"

    def pictures(self, name: str) -> Arrays:
        """The arrays whose names begin so, without that."""
        prefix = f"{name}."
        found = {key.removeprefix(prefix): value for key, value in self.arrays.items() if key.startswith(prefix)}
        assert found, name
        return found


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Golden]:
    folder = tmp_path / "golden"
    shutil.copytree(HERE / request.param, folder)
    monkeypatch.setenv("SMIS_DATA_DIR", str(folder / "data"))
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    with np.load(folder / "expected.npz", allow_pickle=False) as arrays:
        yield Golden(folder, expected, dict(arrays))


def as_json(value: Any) -> Any:
    """Tuples become lists, as in `expected.json`."""
    return json.loads(json.dumps(value))


def assert_same_pictures(found: Arrays, expected: Arrays) -> None:
    """Up to what another processor rounds otherwise."""
    assert found.keys() == expected.keys()
    for name, wanted in expected.items():
        got = found[name]
        assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype), name
        if name.endswith("ws"):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-3, err_msg=name)
        elif name.endswith("seen"):
            assert (got == wanted).mean() > 0.99, name
        else:
            assert np.abs(got.astype(int) - wanted.astype(int)).mean() < 1, name
