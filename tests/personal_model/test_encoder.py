"""The layout encoder: shapes, latent space, input mean, size, and the keys of its state dict."""

from __future__ import annotations

from copy import deepcopy as copy_of

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
