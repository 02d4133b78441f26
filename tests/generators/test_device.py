"""The device that networks run on: one that computes what the processor computes."""

from __future__ import annotations

import logging

import pytest
import torch

from smis_desktop.generators import device


def test_the_processor_has_no_fault() -> None:
    assert device.device_fault(torch.device("cpu")) == ""


def test_a_faulty_device_is_not_used_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    # `meta` has shapes and no numbers: it fails when a result is read.
    assert device.device_fault(torch.device("meta"))
    with caplog.at_level(logging.WARNING):
        found = device.first_working_device(("meta",))
    assert found == torch.device("cpu")
    assert "meta is present but not used" in caplog.text


def test_without_an_accelerator_it_is_the_processor() -> None:
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("there is an accelerator")
    assert device.best_device() == torch.device("cpu")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_an_accelerator_is_used() -> None:
    assert device.best_device() == torch.device("cuda")
