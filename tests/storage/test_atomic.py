"""Whatever fails while a file is written: the old one stays whole, no leftover, one sentence."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smis_desktop.errors import UserError
from smis_desktop.storage.atomic import atomic_file, write_bytes

OLD, NEW = b"old content", b"the new content" * 1000


@pytest.fixture(params=["new file", "existing file"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "layout é.png"
    if request.param == "existing file":
        path.write_bytes(OLD)
    return path


def _state(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_writes_and_replaces_and_leaves_nothing_else(target: Path) -> None:
    write_bytes(target, NEW)
    assert _state(target.parent) == {target.name: NEW}


@pytest.mark.parametrize("data", [b"", bytearray(b"ab"), memoryview(b"cd")])
def test_takes_any_bytes(tmp_path: Path, data: bytes | bytearray | memoryview) -> None:
    write_bytes(tmp_path / "a", data)
    assert (tmp_path / "a").read_bytes() == bytes(data)


def test_short_writes_are_continued(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    write_bytes(target, NEW)
    assert target.read_bytes() == NEW


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EACCES])
def test_a_failing_disk_keeps_the_old_file(
    target: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    before = _state(target.parent)

    def fail(*_args: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(UserError, match=target.name) as caught:
        write_bytes(target, NEW)
    assert str(caught.value).count(".") == 2  # the suffix's and the sentence's
    assert _state(target.parent) == before


def test_disk_full_halfway_keeps_the_old_file(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _state(target.parent)
    real = os.write
    written = 0

    def fill_up(fd: int, data: memoryview) -> int:
        nonlocal written
        if written > 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += 60
        return real(fd, data[:60])

    monkeypatch.setattr(os, "write", fill_up)
    with pytest.raises(UserError, match="free some space"):
        write_bytes(target, NEW)
    assert _state(target.parent) == before


def _fail_on_folders(number: int) -> Callable[[int], None]:
    real = os.fsync

    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(number, os.strerror(number))
        real(fd)

    return fsync


def test_a_file_system_without_folder_sync_is_fine(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _fail_on_folders(errno.EINVAL))
    write_bytes(target, NEW)
    assert _state(target.parent) == {target.name: NEW}


def test_a_folder_that_fails_to_sync_is_told_and_the_file_is_whole(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", _fail_on_folders(errno.EIO))
    with pytest.raises(UserError, match="written whole"):
        write_bytes(target, NEW)
    assert _state(target.parent) == {target.name: NEW}


def test_file_is_synced_before_the_rename_and_the_folder_after(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def fsync(fd: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        real_sync(fd)

    def replace(old: Path, new: Path) -> None:
        calls.append("rename")
        assert Path(old).parent == Path(new).parent
        real_replace(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_bytes(target, NEW)
    assert calls == ["file", "rename", "folder"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, ConnectionResetError])
def test_an_exception_of_the_block_passes_through(target: Path, error: type[BaseException]) -> None:
    before = _state(target.parent)
    with pytest.raises(error), atomic_file(target) as temporary:
        temporary.write_bytes(NEW)
        raise error("stop")
    assert _state(target.parent) == before


def test_disk_full_inside_the_block_is_told_in_a_sentence(target: Path) -> None:
    before = _state(target.parent)
    with pytest.raises(UserError, match=target.name), atomic_file(target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert _state(target.parent) == before


def test_missing_folder_and_folder_as_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        write_bytes(tmp_path / "nowhere" / "a.png", NEW)
    with pytest.raises(UserError, match="is a folder"):
        write_bytes(tmp_path, NEW)
    assert _state(tmp_path) == {}


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
class TestPermissions:
    def test_a_new_file_gets_the_umask(self, tmp_path: Path) -> None:
        old = os.umask(0o027)
        try:
            write_bytes(tmp_path / "a", NEW)
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640

    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o444, 0o664])
    def test_an_existing_file_keeps_its_own(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "a"
        path.write_bytes(OLD)
        path.chmod(mode)
        write_bytes(path, NEW)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        assert path.read_bytes() == NEW

    def test_a_link_is_written_through(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "real" / "a").write_bytes(OLD)
        link = tmp_path / "link"
        link.symlink_to(tmp_path / "real" / "a")
        write_bytes(link, NEW)
        assert link.is_symlink()
        assert (tmp_path / "real" / "a").read_bytes() == NEW

    @pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_without_permission(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(UserError, match="may write to"):
                write_bytes(tmp_path / "a", NEW)
        finally:
            tmp_path.chmod(0o700)

    def test_a_device_is_refused(self) -> None:
        with pytest.raises(UserError, match="not an ordinary file"):
            write_bytes("/dev/null", NEW)
