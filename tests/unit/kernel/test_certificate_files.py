"""What certificates and keys in files must be before a process uses them, and how a change of them is seen."""

from __future__ import annotations

import asyncio
import errno
import shutil
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kernel.certificate_files import (
    ChangingFiles,
    UnusableFiles,
    read_authorities,
    read_identity,
    reload_again_and_again,
)
from tests.certificates import Authority, encrypted


def test_a_pair_is_read_and_its_key_shows_in_no_repr(tmp_path: Path) -> None:
    pair = Authority(tmp_path).server("good")
    identity = read_identity(pair.certificate, pair.key)
    assert (identity.certificate, identity.key) == pair.as_bytes
    assert "PRIVATE" not in repr(identity)


@pytest.mark.parametrize(
    ("certificate", "key", "problem"),
    [
        ("none.pem", "good.key", r"none\.pem cannot be read: No such file"),
        ("good.pem", "none.key", r"none\.key cannot be read: No such file"),
        ("good.key", "good.key", "there is no PEM certificate in it"),
        ("strange.pem", "good.key", "there is no PEM certificate in it"),
        ("good.pem", "good.pem", "there is no PEM key in it"),
        ("good.pem", "other.key", "the key is not that of the certificate"),
        ("good.pem", "locked.key", "the key is encrypted; give one without a password"),
        ("late.pem", "late.key", r"late\.pem expired at .* UTC: renew it"),
    ],
)
def test_what_is_no_pair_is_said_in_a_sentence(tmp_path: Path, certificate: str, key: str, problem: str) -> None:
    authority = Authority(tmp_path)
    good = authority.server("good")
    authority.server("other")
    authority.server("late", valid=timedelta(minutes=-1))
    shutil.copy(good.key, tmp_path / "locked.key")
    der = ssl.PEM_cert_to_DER_cert(good.certificate.read_text())
    of_no_version = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x63")  # 2 is version 3, and 99 is none
    (tmp_path / "strange.pem").write_text(ssl.DER_cert_to_PEM_cert(of_no_version))
    encrypted(tmp_path / "locked.key", b"open sesame")
    with pytest.raises(UnusableFiles, match=problem) as refused:
        read_identity(tmp_path / certificate, tmp_path / key)
    assert "\n" not in str(refused.value)


def test_authorities_are_certificates_one_of_which_is_valid(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert read_authorities(authority.file) == authority.pem
    late = authority.server("late", valid=timedelta(minutes=-1))
    with pytest.raises(UnusableFiles, match="expired"):
        read_authorities(late.certificate)
    with pytest.raises(UnusableFiles, match="no PEM certificate"):
        read_authorities(late.key)
    both = tmp_path / "both.pem"
    both.write_bytes(late.certificate.read_bytes() + authority.pem)
    assert read_authorities(both) == both.read_bytes()


def test_a_change_is_told_until_it_was_read_also_where_a_link_is_turned_to_another_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text("the same")
    link = tmp_path / "link"
    link.symlink_to("one")
    files = ChangingFiles(link, None)
    assert not files.changed()
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(link)
    assert [files.changed(), files.changed()] == [True, True]
    files.were_read()
    assert not files.changed()
    link.unlink()
    assert files.changed()
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").replace(link)
    assert not files.changed()  # it is as it was read


def test_a_file_that_may_be_read_only_now_is_a_change(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("the same")
    key.chmod(0o600)
    files = ChangingFiles(key)
    begun = key.stat().st_ctime_ns
    while key.stat().st_ctime_ns == begun:  # the clock of the file system is coarse
        key.chmod(0o640)
    assert files.changed()
    files.were_read()
    assert not files.changed()


async def test_what_cannot_be_used_is_told_once_and_tried_until_it_can(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of the files changes meanwhile: a certificate begins to be valid, a process has descriptors again."""
    bad, worse = UnusableFiles("valid only from noon on"), OSError(errno.EMFILE, "Too many open files")
    answers: Iterator[Exception | bool] = iter([bad, bad, bad, worse, worse, bad, True])
    renewed = asyncio.Event()

    def reload() -> bool:
        answer = next(answers, False)
        if isinstance(answer, Exception):
            raise answer
        return answer

    looking = asyncio.create_task(reload_again_and_again(reload, 0.001, renewed.set))
    async with asyncio.timeout(10):
        await renewed.wait()
    looking.cancel()
    await asyncio.wait({looking})
    said = [line for line in capsys.readouterr().out.splitlines() if "tls_certificate_not_reloaded" in line]
    assert ["valid only from noon on" in line for line in said] == [True, False, True]


async def test_a_process_that_has_no_descriptor_left_looks_again_all_the_same() -> None:
    answers = iter([OSError(errno.EMFILE, "Too many open files"), True])
    renewed = asyncio.Event()

    def reload() -> bool:
        answer = next(answers, False)
        if isinstance(answer, OSError):
            raise answer
        return answer

    looking = asyncio.create_task(reload_again_and_again(reload, 0.001, renewed.set))
    waiting = asyncio.create_task(renewed.wait())
    await asyncio.wait({looking, waiting}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert renewed.is_set()
    for task in (looking, waiting):
        task.cancel()
    await asyncio.wait({looking, waiting})
