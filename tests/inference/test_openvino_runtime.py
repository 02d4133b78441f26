"""Nothing that happens in this program leaves the computer; OpenVINO's telemetry is off."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def test_openvinos_converter_sends_no_telemetry(tmp_path: Path) -> None:
    program = (
        "import smis_desktop.inference.openvino_backend\n"
        "from openvino.tools.ovc import convert_impl, telemetry_utils\n"
        "print(convert_impl.tm.__name__, telemetry_utils.tm.__name__)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT)},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    stub = "openvino.tools.ovc.telemetry_stub"
    assert done.stdout.split() == [stub, stub]
    assert list(tmp_path.iterdir()) == []  # where it would store an id of this computer


def test_it_is_imported_from_one_place() -> None:
    imports = re.compile(r"^\s*(import openvino\b|from openvino\b)", re.MULTILINE)
    found = [path.name for path in (CHECKOUT / "smis_desktop").rglob("*.py") if imports.search(path.read_text("utf-8"))]
    assert found == ["openvino_runtime.py"]
