"""The layout encoder: shapes, latent space, input mean, size, and the keys of its state dict."""

from __future__ import annotations

from copy import deepcopy as copy_of

import torch
from torch.nn import functional as F

from smis_desktop.generators.generator import Generator
from smis_desktop.personal_model.encoder import EncoderShape, LayoutEncoder, one_hot
from tests.small_generator import small_generator


def test_answers_one_w_per_slot_in_the_latent_space_it_was_given() -> None:
    shape = EncoderShape(num_classes=5, num_ws=16, w_dim=512, slot_groups=(5, 4, 7))
    encoder = LayoutEncoder(shape).eval()
    w_avg = torch.full((512,), 7.0)
    encoder.set_latent_space(w_avg, torch.eye(512), torch.zeros(512))
    with torch.inference_mode():
        ws = encoder(torch.zeros(2, 5, 64, 64))
    assert ws.shape == (2, 16, 512)
    assert torch.equal(ws, torch.full_like(ws, 7.0)), "with zero deviations, every answer is the mean"


def test_is_far_smaller_than_psp() -> None:
    encoder = LayoutEncoder(EncoderShape(num_classes=19, num_ws=16, w_dim=512, slot_groups=(5, 4, 7)))
    assert sum(parameter.numel() for parameter in encoder.parameters()) < 267_000_000 / 20


def test_the_mean_layout_and_an_empty_one_differ() -> None:
    encoder = LayoutEncoder(EncoderShape(num_classes=3, num_ws=16, w_dim=512, slot_groups=(5, 4, 7))).eval()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        encoder.structural.weight.normal_(generator=random)
    layouts = (
        torch.nn.functional.one_hot(torch.randint(3, (4, 64, 64), generator=random), 3).permute(0, 3, 1, 2).float()
    )
    encoder.set_input_mean(F.adaptive_avg_pool2d(layouts, (16, 16)))
    with torch.inference_mode():
        fractions = F.adaptive_avg_pool2d(layouts, (16, 16))
        mean = fractions.mean(0, keepdim=True)
        assert encoder.input_mean.sum(0).allclose(torch.ones(16, 16)), "class fractions, cell by cell"
        at_rest = encoder.coordinates(mean)[0]
        assert not torch.allclose(encoder.coordinates(torch.zeros_like(mean))[0], at_rest)
        assert not torch.allclose(encoder.coordinates(fractions[:1])[0], at_rest)


def test_state_dicts_call_the_input_mean_what_model_files_call_it() -> None:
    shape = EncoderShape(num_classes=3, num_ws=16, w_dim=8, slot_groups=(5, 4, 7), width=4)
    encoder = LayoutEncoder(shape)
    encoder.set_input_mean(torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    state = encoder.state_dict()
    assert "usual" in state
    assert "input_mean" not in state
    for copy in (LayoutEncoder(shape), copy_of(LayoutEncoder(shape))):
        copy.load_state_dict(state)
        assert torch.equal(copy.input_mean, encoder.input_mean)


def corrected_encoder(generator: Generator) -> LayoutEncoder:
    """With random weights."""
    groups = (len(generator.coarse_slots), len(generator.middle_slots), len(generator.fine_slots))
    shape = EncoderShape(
        3, generator.num_ws, generator.w_dim, groups, width=8, corrections=2,
        feature_channels=generator.feature_channels(16),
    )  # fmt: skip
    encoder = LayoutEncoder(shape)
    encoder.set_latent_space(generator.w_avg, generator.latents.axes, generator.latents.std)
    random = torch.Generator().manual_seed(0)
    assert encoder.correction is not None
    with torch.no_grad():
        for weights in (*encoder.parameters(), encoder.correction.reading):
            weights.normal_(0, 0.3, generator=random)
    return encoder


def test_a_corrected_answer_is_the_first_one_plus_what_its_pictures_lack() -> None:
    generator = small_generator()
    encoder = corrected_encoder(generator).eval()
    layout = one_hot(torch.randint(3, (2, 64, 64), generator=torch.Generator().manual_seed(1)), 3)
    correction = encoder.correction
    assert correction is not None
    with torch.inference_mode():
        fractions = F.adaptive_avg_pool2d(layout, (16, 16))
        coordinates = encoder.coordinates(fractions)[0]
        first = encoder(layout)
        assert first[:, 0].allclose(encoder.structural_w(coordinates)), "without a generator nothing is corrected"
        for _ in range(2):
            ws = generator.broadcast(encoder.structural_w(coordinates))
            features = generator.features(ws, [16])[16]
            coordinates = coordinates + correction(coordinates, fractions, encoder.input_mean, features)
        answer = encoder(layout, generator)
    structural = generator.fine_slots.start
    assert answer[:, 0].allclose(encoder.structural_w(coordinates), atol=1e-5)
    assert not answer[:, :structural].allclose(first[:, :structural], atol=1e-3)
    assert torch.equal(answer[:, structural:], first[:, structural:]), "style is not read off a layout's classes"


def test_what_is_not_painted_is_not_compared() -> None:
    generator = small_generator()
    correction = corrected_encoder(generator).correction
    assert correction is not None
    random = torch.Generator().manual_seed(2)
    nothing, mean = torch.zeros(1, 3, 16, 16), torch.zeros(3, 16, 16)
    coordinates = torch.zeros(1, correction.change.out_features)
    with torch.inference_mode():
        one, other = (
            correction(
                coordinates, nothing, mean, torch.randn(1, generator.feature_channels(16), 16, 16, generator=random)
            )
            for _ in range(2)
        )
    assert torch.equal(one, other)
