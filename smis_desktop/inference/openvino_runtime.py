"""The one place that imports OpenVINO, with its telemetry off.

Its converter reports each import and conversion to its makers through a package of its own, and works without where
that package is missing. Here it always is: nothing that happens in this program leaves the computer.
"""

from __future__ import annotations

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import openvino  # noqa: E402

__all__ = ["openvino"]
