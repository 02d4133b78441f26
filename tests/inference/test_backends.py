"""Backends make the same pictures as torch, convert networks once, and fall back to torch."""

from __future__ import annotations

import json
import logging
import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from smis_desktop.errors import UserError
from smis_desktop.generators.feature_basis import feature_basis
from smis_desktop.generators.generator import seeded_z
from smis_desktop.generators.layers import Regions
from smis_desktop.generators.mobile_stylegan import MobileStyleGAN
from smis_desktop.inference import backend_selection, openvino_backend
from smis_desktop.inference.backend_selection import (
    BACKENDS,
    MIN_PSNR,
    BackendName,
    BackendUnavailable,
    open_backend,
    self_tests,
)
from smis_desktop.inference.backends import CachingBackend, SynthesisBackend, TorchBackend
from tests.small_generator import small_generator

GENERATOR = small_generator(channels=(16, 16, 16, 16, 16, 8, 4), head=128)
openvino = pytest.importorskip("openvino")


def silent(words: str, fraction: float) -> None:
    """Progress that is not shown."""


def some_ws(seed: int = 3) -> torch.Tensor:
    return GENERATOR.broadcast(GENERATOR.mapping(seeded_z(seed, GENERATOR.w_dim))).contiguous()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backends")


def test_openvino_in_float32_equals_torch(folder: Path) -> None:
    backend = open_backend("openvino", GENERATOR, folder, 2, silent)
    ws = some_ws()
    with torch.inference_mode():
        wanted, found = GENERATOR.coarse_features(ws), backend.coarse_features(ws)
        assert list(found.label_features) == sorted(wanted.label_features)
        for side, features in wanted.label_features.items():
            torch.testing.assert_close(found.label_features[side], features, atol=1e-3, rtol=1e-3)
        assert GENERATOR.draft_sizes == (128, 512)
        for side in GENERATOR.draft_sizes:
            picture = backend.synthesize_fine(found, ws, side, None)
            torch.testing.assert_close(picture, GENERATOR.synthesize_fine(wanted, ws, side), atol=1e-3, rtol=1e-3)
        masks = torch.zeros(2, 1, 64, 64)
        masks[0, :, :32], masks[1, :, 32:] = 1, 1
        two = torch.cat((ws, ws + 0.5))
        regions = Regions(masks)
        torch.testing.assert_close(
            backend.synthesize_fine(found, two, 512, regions),
            GENERATOR.synthesize_fine(wanted, two, 512, regions),
            atol=1e-3,
            rtol=1e-3,
        )


@pytest.mark.parametrize("backend", ["openvino", "openvino-bf16"])
def test_openvino_projects_features_as_the_basis_does(folder: Path, backend: BackendName) -> None:
    """Up to one step: a value between two may be rounded to either."""
    try:
        backend = open_backend(backend, GENERATOR, folder, 2, silent)
    except BackendUnavailable as error:
        pytest.skip(str(error))
    basis = feature_basis(GENERATOR)
    with torch.inference_mode():
        wanted = basis.project(backend.label_features(some_ws()), backend.precision)
        found = backend.projected_label_features(some_ws(), basis)
    assert list(found) == list(wanted)
    for side, steps in wanted.items():
        assert steps.dtype == found[side].dtype == torch.int8
        assert steps.shape == found[side].shape
        assert steps.unique().numel() > 20, "features that are all equal compare nothing"
        away = (steps.int() - found[side]).abs().float()
        assert away.max() <= 1
        assert away.mean() <= 0.05


def test_nothing_runs_beside_the_first_run_of_a_part(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = open_backend("openvino", GENERATOR, folder, 2, silent)
    seen, run = [], openvino_backend.CompiledPart.run

    def watched(*arguments: Any) -> Any:
        seen.append("begun")
        found = run(*arguments)
        seen.append("done")
        return found

    monkeypatch.setattr(openvino_backend.CompiledPart, "run", watched)
    together = threading.Barrier(4)

    def ask(seed: int) -> None:
        ws = some_ws(seed)
        together.wait()
        backend.label_features(ws)

    with torch.inference_mode(), ThreadPoolExecutor(4) as threads:
        list(threads.map(ask, range(4)))
    assert seen[:2] == ["begun", "done"]
    assert len(seen) == 8


def test_networks_are_converted_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = open_backend("openvino", GENERATOR, folder, 2, silent)
    with torch.inference_mode():  # parts that drafts do not need are converted on demand
        backend.synthesize_fine(backend.coarse_features(some_ws()), some_ws(), 128, None)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(openvino, "convert_model", refuse)
    backend = open_backend("openvino", GENERATOR, folder, 2, silent)
    with torch.inference_mode():
        assert backend.synthesize_fine(backend.coarse_features(some_ws()), some_ws(), 128, None).shape == (
            1,
            3,
            128,
            128,
        )
    with pytest.raises(AssertionError, match="converted again"):  # other weights, other files
        open_backend("openvino", small_generator(seed=5), folder, 2, silent)


def test_an_interrupted_conversion_starts_again(tmp_path: Path) -> None:
    class Interrupted(Exception):
        pass

    def stop(words: str, fraction: float) -> None:
        if fraction > 0.3:  # one part of two is converted
            raise Interrupted

    with pytest.raises(Interrupted):
        open_backend("openvino", GENERATOR, tmp_path, 1, stop)
    backend = open_backend("openvino", GENERATOR, tmp_path, 1, silent)
    assert backend.name == "OpenVINO, float32"
    assert not list(tmp_path.glob("*/growing-*"))


def test_the_self_test_compares_every_backend_with_torch(folder: Path) -> None:
    tests = {test.backend: test for test in self_tests(GENERATOR, folder, 2, silent)}
    assert tests["torch"].max_difference == 0
    assert tests["openvino"].max_difference <= 1e-3
    assert not tests["openvino"].fault
    for name in ("torch-bf16", "openvino-bf16"):
        try:
            backend = open_backend(name, GENERATOR, folder, 2, silent)
        except BackendUnavailable:
            assert tests[name].fault, name
            continue
        worst = min(_psnr(backend, w) for w in _tested_latents())
        assert tests[name].psnr == pytest.approx(worst, abs=0.5)
        assert bool(tests[name].fault) == (tests[name].psnr < MIN_PSNR)


def _tested_latents() -> list[torch.Tensor]:
    z = torch.cat([seeded_z(seed, GENERATOR.w_dim) for seed in range(4)])
    return [GENERATOR.w_avg, *GENERATOR.mapping(z, 0.7)]


def _psnr(backend: SynthesisBackend, w: torch.Tensor) -> float:
    ws = GENERATOR.broadcast(w[None]).contiguous()
    with torch.inference_mode():
        found = backend.synthesize_fine(backend.coarse_features(ws), ws, 512).clamp(-1, 1)
        error = found - GENERATOR.synthesize_fine(GENERATOR.coarse_features(ws), ws, 512).clamp(-1, 1)
    return 10 * math.log10(4 / error.square().mean().item())


def test_a_backend_whose_pictures_differ_cannot_be_chosen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = small_generator(channels=(16, 16, 16, 16, 16, 8, 4), head=128)
    synthesize = generator.synthesize_fine

    def wrong_in_bfloat16(*arguments: Any) -> torch.Tensor:
        return synthesize(*arguments) + (0.5 if torch.is_autocast_enabled("cpu") else 0.0)

    monkeypatch.setattr(generator, "synthesize_fine", wrong_in_bfloat16)
    tests = self_tests(generator, folder, 2, silent)
    refused = next(test for test in tests if test.backend == "torch-bf16")
    assert refused.psnr < MIN_PSNR
    assert "differ from torch's" in refused.fault
    assert "torch-bf16" not in [test.backend for test in tests if not test.fault]


def test_full_faces_in_bfloat16_are_close_to_float32(faces: MobileStyleGAN, tmp_path: Path) -> None:
    """With scales and small maps in bfloat16 too, the first of these was 41.7 dB."""
    try:
        backend = open_backend("openvino-bf16", faces, tmp_path, 2, silent)
    except BackendUnavailable as error:
        pytest.skip(str(error))
    with torch.inference_mode():
        for seed in (0, 1):
            ws = faces.broadcast(faces.mapping(seeded_z(seed, faces.w_dim), 0.7)).contiguous()
            found = backend.synthesize_fine(backend.coarse_features(ws), ws, faces.img_resolution, None).clamp(-1, 1)
            error = (found - faces.synthesis(ws).clamp(-1, 1)).square().mean().item()
            assert 10 * math.log10(4 / error) >= MIN_PSNR


def test_coarse_features_are_cached_by_their_own_slots() -> None:
    computed = []

    class Counting(TorchBackend):
        def coarse_features(self, ws: torch.Tensor, surroundings=None, regions=None):  # type: ignore[no-untyped-def]
            computed.append(ws)
            return super().coarse_features(ws, surroundings, regions)

    backend = CachingBackend(Counting(GENERATOR), GENERATOR.fine_slots.start)
    ws, other_style = some_ws(), some_ws().clone()
    other_style[:, GENERATOR.fine_slots.start :] = 0
    with torch.inference_mode():
        assert backend.coarse_features(ws) is backend.coarse_features(other_style)
        assert len(computed) == 1
        backend.coarse_features(some_ws(9))
    assert len(computed) == 2


def test_without_openvino_torch_is_used_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SMIS_BACKEND", "openvino")
    monkeypatch.setitem(sys.modules, "openvino", None)
    for name in ("openvino_runtime", "openvino_backend"):
        monkeypatch.delitem(sys.modules, f"smis_desktop.inference.{name}", raising=False)
    with pytest.raises(BackendUnavailable):
        open_backend("openvino", GENERATOR, tmp_path, 1, silent)
    with caplog.at_level(logging.WARNING):
        backend = backend_selection.open_chosen_backend(GENERATOR, 1, silent)
    assert backend.name == "torch, float32"
    assert "OpenVINO is not installed" in caplog.text


def test_the_choice_is_stored_and_a_new_machine_tests_itself_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMIS_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("SMIS_BACKEND", raising=False)
    assert backend_selection.read_backend_choice().tests == ()
    backend_selection.open_chosen_backend(GENERATOR, 1, silent)
    tests = backend_selection.read_backend_choice().tests
    assert {test["backend"] for test in tests} == set(BACKENDS)

    def refuse(*_: object) -> None:
        raise AssertionError("tested again")

    monkeypatch.setattr(backend_selection, "self_tests", refuse)
    backend_selection.open_chosen_backend(GENERATOR, 1, silent)
    for precision in ("float32", "bfloat16"):  # the precision that a training began with outweighs speed
        assert backend_selection.open_chosen_backend(GENERATOR, 1, silent, precision).precision == precision
    backend_selection.choose_backend("torch")
    assert backend_selection.open_chosen_backend(GENERATOR, 1, silent).name == "torch, float32"
    with pytest.raises(UserError, match="abacus"):
        backend_selection.choose_backend("abacus")
    stored = tmp_path / "backends" / "choice.json"
    stored.write_text("{")
    assert backend_selection.read_backend_choice().chosen == "auto"
    stored.write_text(json.dumps({"chosen": "abacus", "tests": [3]}))
    assert backend_selection.read_backend_choice() == backend_selection.BackendChoice("auto", ())
