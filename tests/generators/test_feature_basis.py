"""A probe predicts the same from projected features as from whole ones."""

from __future__ import annotations

import pytest
import torch

from smis_desktop.generators.feature_basis import FeatureBasis, feature_basis
from smis_desktop.generators.generator import Generator, latents_of_seed
from smis_desktop.generators.store import open_generator
from smis_desktop.personal_model.label_transfer import LinearProbe
from smis_desktop.training.sample_pool import SamplePool
from tests.personal_model.landscapes_probe import landscapes_probe


@pytest.fixture(scope="module")
def generator() -> Generator:
    return open_generator("landscapes")


@pytest.fixture(scope="module")
def basis(generator: Generator) -> FeatureBasis:
    return feature_basis(generator)


@pytest.fixture(scope="module")
def probe(generator: Generator) -> LinearProbe:
    return landscapes_probe(generator)


def features_of(generator: Generator, seed: int) -> dict[int, torch.Tensor]:
    with torch.no_grad():
        return generator.label_features(latents_of_seed(generator, seed, 1.0)[None])


def test_a_probe_predicts_the_same_classes_in_a_basis(
    generator: Generator, basis: FeatureBasis, probe: LinearProbe
) -> None:
    projected = probe.in_basis(basis)
    alike = []
    for seed in range(900, 912):
        whole = features_of(generator, seed)
        reduced = {r: steps.float() for r, steps in basis.project(whole).items()}
        alike.append((probe.label(whole) == projected.label(reduced)).float().mean())
    assert torch.stack(alike).mean() > 0.98


def test_a_probe_in_a_basis_scores_what_the_basis_reconstructs(basis: FeatureBasis, probe: LinearProbe) -> None:
    """Against the definition, in float64, on arbitrary bytes."""
    draws = torch.Generator().manual_seed(5)
    steps = {
        r: torch.randint(-127, 128, (2, len(axes), r, r), generator=draws).double() for r, axes in basis.axes.items()
    }
    reconstructed = {
        r: torch.einsum("zk,nkhw->nzhw", basis.back[r].double(), x) + basis.mean[r].double()[:, None, None]
        for r, x in steps.items()
    }
    expected = probe.double().scores(reconstructed)
    found = probe.float().in_basis(basis).scores({r: x.float() for r, x in steps.items()}).double()
    seen = torch.isfinite(expected)
    assert torch.equal(seen, torch.isfinite(found))
    assert (expected - found)[seen].abs().max() < 1e-3 * expected[seen].abs().max()


def test_bytes_are_the_rounded_coordinates(generator: Generator, basis: FeatureBasis) -> None:
    whole = features_of(generator, 950)
    for r, steps in basis.project(whole).items():
        assert steps.dtype == torch.int8
        exact = torch.einsum(
            "kz,nzhw->nkhw", basis.axes[r].double(), whole[r].double() - basis.mean[r].double()[:, None, None]
        ).clamp(-127, 127)
        assert (steps - exact).abs().max() <= 0.51


def test_a_basis_is_restored_from_its_state(generator: Generator, basis: FeatureBasis) -> None:
    again = FeatureBasis.from_state(basis.state(), generator.device)
    whole = features_of(generator, 951)
    for r, steps in basis.project(whole).items():
        assert torch.equal(steps, again.project(whole)[r])
        assert torch.equal(basis.back[r], again.back[r])


class _Store:
    """Stores everything; lists what was found."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, torch.Tensor]] = {}
        self.found: list[str] = []

    def read(self, name: str) -> dict[str, torch.Tensor] | None:
        if name in self.kept:
            self.found.append(name)
        return self.kept.get(name)

    def write(self, name: str, tensors: dict[str, torch.Tensor]) -> None:
        self.kept[name] = tensors


class _NoFeatures:
    """A backend that must not be used."""

    name, precision, num_streams = "none", "float32", 1

    def projected_label_features(self, ws: torch.Tensor, basis: FeatureBasis) -> dict[int, torch.Tensor]:
        pytest.fail("features were kept and are made again")


def test_pools_with_and_without_kept_features_are_equal(generator: Generator, probe: LinearProbe) -> None:
    shelf = _Store()
    pools = [
        SamplePool(generator, probe, 3, 2, 9),
        SamplePool(generator, probe, 3, 2, 9, cache=shelf),
        SamplePool(generator, probe, 3, 2, 9, _NoFeatures(), cache=shelf),  # type: ignore[arg-type]
    ]
    for pool in pools:
        pool.grow()
        pool.grow()
    assert shelf.found == ["basis", "round-0", "round-1"]
    del shelf.kept["basis"]
    without_basis = SamplePool(generator, probe, 3, 2, 9, cache=shelf)
    without_basis.grow()
    assert shelf.found == ["basis", "round-0", "round-1"], "rounds of another basis are not read"
    for pool in pools[1:]:
        assert torch.equal(pool.w, pools[0].w)
        assert torch.equal(pool.labels, pools[0].labels)
    assert len(pools[0].labels.unique()) > 3, "pictures of several classes, or nothing was compared"
