"""The data folder: private files, one launcher at a time."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from cli.launcher.data_folder import LARGE_LOG, DataFolder, write_private
from cli.launcher.refusal import CannotStart


def test_the_master_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    key = folder.master_key()
    assert DataFolder(tmp_path).master_key() == key
    assert len(key) == 44
    assert stat.S_IMODE((tmp_path / "master.key").stat().st_mode) == 0o600


def test_a_second_launcher_is_refused_and_told_who_has_the_folder(tmp_path: Path) -> None:
    first = DataFolder(tmp_path)
    first.open()
    assert first.is_locked()
    with pytest.raises(CannotStart, match=rf"process {first.holder()} already runs on the data folder"):
        DataFolder(tmp_path).open()


def test_a_folder_that_nobody_runs_on_is_not_locked(tmp_path: Path) -> None:
    assert not DataFolder(tmp_path / "none").is_locked()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotStart, match="cannot be written"):
        DataFolder(tmp_path / "file" / "data").open()


def test_what_readiness_an_earlier_start_left_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "ready").mkdir()
    (tmp_path / "ready" / "server.json").write_text('{"address": "127.0.0.1:1"}')
    DataFolder(tmp_path).open()
    assert list((tmp_path / "ready").iterdir()) == []


def test_a_private_file_replaces_a_readable_one(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_private_file_that_cannot_be_written_whole_leaves_nothing_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = write_private(tmp_path / "ca.key", "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_private(path, "a new key")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


def test_a_large_log_is_put_aside_before_a_process_starts(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.logs.mkdir()
    with (folder.logs / "server.log").open("wb") as log:
        log.truncate(LARGE_LOG + 1)
    assert not folder.log("server").exists()
    assert (folder.logs / "server.log.1").exists()
