"""Where networks are computed: nowhere that computes something else, or not at all."""

from __future__ import annotations

import logging

import pytest
import torch

from smis_desktop.generators import device


def test_the_processor_computes_what_it_computes() -> None:
    assert device.what_is_wrong_with(torch.device("cpu")) == ""


def test_a_device_that_cannot_is_passed_over_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    # `meta` knows all shapes and no numbers: a device that breaks down when it is asked for an answer.
    assert device.what_is_wrong_with(torch.device("meta"))
    with caplog.at_level(logging.WARNING):
        found = device._first_that_computes(("meta",))
    assert found == torch.device("cpu")
    assert "meta is there but not used" in caplog.text


def test_without_a_card_it_is_the_processor() -> None:
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("there is a card")
    assert device.best_device() == torch.device("cpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_card_is_used() -> None:
    assert device.best_device() == torch.device("cuda")
