"""StyleGAN2 in torch: equal to a reference in float64, both ways of applying styles, cut off where asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from smis_desktop.generators.generator import seeded_z
from smis_desktop.generators.layers import Regions
from smis_desktop.generators.stylegan2 import ModulatedConv, StyleGAN2, fir_filter
from tests.generators.stylegan2_reference import mapped, synthesised
from tests.small_stylegan2 import small_stylegan2, some_ws

CHANNELS = {
    "16²": (12, 12, 8),
    "32²": (12, 12, 10, 8),
    "64²": (12, 12, 12, 10, 8),
    "128²": (12, 12, 12, 10, 8, 6),
    "256², widths of a real one, by far narrower": (16, 16, 16, 16, 8, 4, 2),
}
FIRS = {"the usual": (1, 3, 3, 1), "not symmetric": (1, 2, 4, 3), "short": (1, 1), "long": (1, 2, 5, 4, 2, 1)}


def arrays(generator: StyleGAN2) -> dict[str, np.ndarray]:
    return {key: value.double().numpy() for key, value in generator.state_dict().items()}


@pytest.mark.parametrize("channels", CHANNELS.values(), ids=CHANNELS)
@pytest.mark.parametrize("scaling", ["weights", "activations", None])
def test_equals_the_reference(channels: tuple[int, ...], scaling: str | None) -> None:
    generator = scaled(small_stylegan2(1, channels), scaling)
    ws = some_ws(generator, count=2)
    expected = [synthesised(arrays(generator), one.double().numpy())[0] for one in ws]
    for dtype, tolerance in ((torch.float32, 2e-5), (torch.float64, 1e-10)):
        picture = generator.to(dtype).finalize().synthesis(ws.to(dtype))
        assert picture.shape == (2, 3, generator.img_resolution, generator.img_resolution)
        assert np.abs(picture.numpy() - np.stack(expected)).max() <= tolerance


@pytest.mark.parametrize("taps", FIRS.values(), ids=FIRS)
def test_other_filters_are_applied_the_right_way_round(taps: tuple[float, ...]) -> None:
    generator = small_stylegan2(2, (8, 8, 6))
    generator.filter = fir_filter(taps)
    ws = some_ws(generator)
    expected, *_ = synthesised(arrays(generator), ws[0].double().numpy())
    assert np.abs(generator.double().finalize().synthesis(ws.double())[0].numpy() - expected).max() <= 1e-10


def test_activations_are_clamped() -> None:
    free, clamped = (small_stylegan2(3, (8, 8, 6), clamp=clamp) for clamp in (None, 0.7))
    ws = some_ws(free)
    expected, features, _ = synthesised(arrays(clamped), ws[0].double().numpy())
    assert np.abs(features[16]).max() == pytest.approx(0.7), "the clamp is reached"
    assert np.abs(clamped.double().finalize().synthesis(ws.double())[0].numpy() - expected).max() <= 1e-6
    assert not torch.allclose(free.synthesis(ws).double(), clamped.synthesis(ws.double()))


def test_mapping_and_truncation() -> None:
    generator = small_stylegan2().double()
    for seed in range(4):
        z = seeded_z(seed, generator.w_dim).double()
        w = generator.mapping(z)
        assert np.abs(w[0].numpy() - mapped(arrays(generator), z[0].numpy())).max() <= 1e-12
        assert torch.allclose(generator.mapping(z, 0.0), generator.w_avg[None])
        assert torch.allclose(generator.mapping(z, 0.5), (w + generator.w_avg) / 2)


def test_features_labels_and_drafts_are_those_of_the_reference() -> None:
    generator = small_stylegan2(4, (8, 8, 8, 8, 8, 6, 4, 4)).double().finalize()  # 512²
    ws = some_ws(small_stylegan2(4, (8, 8, 8, 8, 8, 6, 4, 4))).double()
    _, features, pictures = synthesised(arrays(generator), ws[0].numpy())
    for side, x in generator.features(ws, [4, 8, 64, 128]).items():
        assert np.abs(x[0].numpy() - features[side]).max() <= 1e-9
    structure, labels = generator.coarse_features(ws), generator.label_features(ws)
    assert sorted(labels) == [8, 16, 32, 64] == sorted(structure.label_features)
    for side, x in labels.items():
        assert torch.equal(x, structure.label_features[side])
        assert x.shape[1] == generator.feature_channels(side)
        assert side == 64 or np.abs(x[0].numpy() - features[side]).max() <= 1e-9
    assert generator.draft_sizes == (256, 512)
    for side in generator.draft_sizes:
        assert np.abs(generator.draft(ws, side)[0].numpy() - pictures[side]).max() <= 1e-9
    assert generator.draft(ws, 100).shape == (1, 3, 100, 100)
    assert generator.draft(ws, 1024).shape == (1, 3, 1024, 1024), "more than it makes is enlarged"


@pytest.mark.parametrize(
    ("blocks", "feature_side", "groups"),
    [(2, 16, (5, 0, 1)), (3, 32, (5, 2, 1)), (4, 64, (5, 4, 1)), (8, 64, (5, 4, 9))],
)
def test_slots_are_shared_out_by_resolution(blocks: int, feature_side: int, groups: tuple[int, int, int]) -> None:
    generator = small_stylegan2(channels=(4,) * (blocks + 1), w_dim=8)
    assert generator.feature_resolution == feature_side
    slots = (generator.coarse_slots, generator.middle_slots, generator.fine_slots)
    assert tuple(map(len, slots)) == groups
    assert [slot for group in slots for slot in group] == list(range(generator.num_ws))


@pytest.mark.parametrize("channels", [CHANNELS["32²"], CHANNELS["128²"]])
def test_fine_slots_leave_the_structure_alone_and_every_slot_acts(channels: tuple[int, ...]) -> None:
    generator = small_stylegan2(5, channels)
    ws = some_ws(generator).clone()
    other = ws.clone()
    other[:, generator.fine_slots.start :] += 1.0
    before, after = generator.coarse_features(ws), generator.coarse_features(other)
    assert torch.equal(before.features, after.features)
    assert before.rgb is not None
    assert after.rgb is not None
    assert torch.equal(before.rgb, after.rgb)
    picture = generator.synthesis(ws.requires_grad_())
    picture.square().sum().backward()
    assert ws.grad is not None
    assert bool((ws.grad.abs().sum(2) > 0).all())


def test_no_more_is_computed_than_is_asked_for() -> None:
    generator = small_stylegan2(channels=CHANNELS["128²"])
    ws = some_ws(generator)
    for module in generator.blocks[3:]:
        for conv in (module.conv1, module.conv2):
            conv.register_forward_hook(lambda *_: pytest.fail("a layer past the asked resolution ran"))
    assert list(generator.features(ws, [32])) == [32]
    with pytest.raises(KeyError):
        generator.features(ws, [48])


def test_gradient_equals_finite_differences() -> None:
    generator = small_stylegan2(channels=CHANNELS["32²"]).double()
    ws = some_ws(generator.float()).double().clone().requires_grad_()
    generator.double()
    weights = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (gradient,) = torch.autograd.grad((generator.synthesis(ws) * weights).sum(), ws)
    direction = torch.randn(ws.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    h = 1e-6
    with torch.no_grad():
        ahead, behind = ((generator.synthesis(ws + s * h * direction) * weights).sum() for s in (1, -1))
    slope = ((ahead - behind) / (2 * h)).item()
    assert slope == pytest.approx((gradient * direction).sum().item(), rel=1e-4)


def test_regions_of_one_style_are_that_style_and_halves_are_both() -> None:
    generator = small_stylegan2(6, CHANNELS["128²"])
    ws = some_ws(generator, count=2).clone()
    ws[1, : generator.fine_slots.start] = ws[0, : generator.fine_slots.start]
    structure = generator.coarse_features(ws[:1])
    plain = [generator.synthesize_fine(structure, one[None], 128) for one in ws]
    masks = torch.zeros(2, 1, 64, 64)
    masks[0] = 1.0
    assert torch.allclose(generator.synthesize_fine(structure, ws, 128, Regions(masks)), plain[0], atol=1e-5)
    masks[:, :, :, 32:] = masks[:, :, :, 32:].flip(0)
    halves = generator.synthesize_fine(structure, ws, 128, Regions(masks))
    assert torch.allclose(halves[..., :32], plain[0][..., :32], atol=1e-4)
    assert torch.allclose(halves[..., -32:], plain[1][..., -32:], atol=1e-4)


def test_a_state_dict_makes_the_same_network() -> None:
    generator = small_stylegan2(7, clamp=3.0)
    again = StyleGAN2.from_weights("again", "sha", {k: v.clone() for k, v in generator.state_dict().items()})
    ws = some_ws(generator)
    assert again.clamp == 3.0
    assert torch.equal(again.synthesis(ws), generator.synthesis(ws))
    assert not any(parameter.requires_grad for parameter in again.parameters())
    enlarged = F.interpolate(generator.synthesis(ws), size=(128, 128), mode="bilinear", antialias=True)
    assert torch.equal(again.draft(ws, 128), enlarged)


def test_pictures_too_small_for_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="8²"):
        StyleGAN2("tiny", "sha", (4, 4))


def scaled(generator: StyleGAN2, scaling: str | None) -> StyleGAN2:
    for module in generator.modules():
        if isinstance(module, ModulatedConv):
            module.scaling = scaling  # type: ignore[assignment]
    return generator
