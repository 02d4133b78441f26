"""The layout encoder's contract: shapes, silence where nothing is painted, and its modest size."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from smis_desktop.personal_model.encoder import EncoderShape, LayoutEncoder


def test_answers_one_w_per_slot_in_the_latent_space_it_was_given() -> None:
    shape = EncoderShape(num_classes=5, num_ws=16, w_dim=512, slot_groups=(5, 4, 7))
    encoder = LayoutEncoder(shape).eval()
    w_avg = torch.full((512,), 7.0)
    encoder.set_latent_space(w_avg, torch.eye(512), torch.zeros(512))
    with torch.inference_mode():
        ws = encoder(torch.zeros(2, 5, 64, 64))
    assert ws.shape == (2, 16, 512)
    assert torch.equal(ws, torch.full_like(ws, 7.0)), "without spread, every answer is the mean"


def test_is_far_smaller_than_the_reference() -> None:
    encoder = LayoutEncoder(EncoderShape(num_classes=19, num_ws=16, w_dim=512, slot_groups=(5, 4, 7)))
    assert sum(parameter.numel() for parameter in encoder.parameters()) < 267_000_000 / 20


def test_what_is_usual_and_where_nothing_is_said_are_different_things() -> None:
    encoder = LayoutEncoder(EncoderShape(num_classes=3, num_ws=16, w_dim=512, slot_groups=(5, 4, 7))).eval()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        encoder.structural.weight.normal_(generator=random)
    layouts = (
        torch.nn.functional.one_hot(torch.randint(3, (4, 64, 64), generator=random), 3).permute(0, 3, 1, 2).float()
    )
    encoder.set_input_mean(F.adaptive_avg_pool2d(layouts, (16, 16)))
    with torch.inference_mode():
        shares = F.adaptive_avg_pool2d(layouts, (16, 16))
        usual = shares.mean(0, keepdim=True)
        assert encoder.input_mean.sum(0).allclose(torch.ones(16, 16)), "shares of classes, square by square"
        at_rest = encoder.coordinates(usual)[0]
        assert not torch.allclose(encoder.coordinates(torch.zeros_like(usual))[0], at_rest)
        assert not torch.allclose(encoder.coordinates(shares[:1])[0], at_rest)
