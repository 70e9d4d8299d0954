"""The few calls of libseccomp that make a filter, through ctypes: its Python binding is in no package registry."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Self

ALLOW = 0x7FFF0000
MASKED_EQUAL = 7
_ERRNO = 0x00050000
_NATIVE = 0
_OPTIMIZE = 8  # SCMP_FLTATR_CTL_OPTIMIZE; 2 is a binary tree
_LAST_NUMBER = 1024


class UnavailableError(Exception):
    """libseccomp is not installed, or refused a rule."""


class Argument(ctypes.Structure):
    """`scmp_arg_cmp`: which argument, how compared, with what."""

    _fields_ = (
        ("index", ctypes.c_uint),
        ("comparison", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def errno(number: int) -> int:
    """Answers the action that lets a call fail with `number`."""
    return _ERRNO | number


class Filter:
    """One filter being made; use it with `with`."""

    def __init__(self, otherwise: int) -> None:
        self._library = _library()
        self._context = ctypes.c_void_p(self._library.seccomp_init(otherwise))
        if not self._context:
            raise UnavailableError("libseccomp could not begin a filter")
        self._library.seccomp_attr_set(self._context, _OPTIMIZE, 2)  # only speed: an older library has no such thing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.seccomp_release(self._context)

    def add(self, action: int, name: str, arguments: Sequence[Argument] = ()) -> None:
        """Adds a rule; a call that this machine does not have needs none."""
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return
        comparisons = (Argument * len(arguments))(*arguments)
        failed = self._library.seccomp_rule_add_array(self._context, action, number, len(arguments), comparisons)
        if failed:
            raise UnavailableError(f"libseccomp refused a rule for {name}: {os.strerror(-failed)}")

    def export(self) -> bytes:
        """Answers the program, as the kernel and bubblewrap take it."""
        descriptor = os.memfd_create("filter", os.MFD_CLOEXEC)
        try:
            if failed := self._library.seccomp_export_bpf(self._context, descriptor):
                raise UnavailableError(f"libseccomp could not write the filter: {os.strerror(-failed)}")
            return os.pread(descriptor, 1 << 20, 0)
        finally:
            os.close(descriptor)


def known_calls() -> list[str]:
    """Answers the names of all system calls of this machine that the library knows."""
    library = _library()
    names: list[str] = []
    for number in range(_LAST_NUMBER):
        text = library.seccomp_syscall_resolve_num_arch(_NATIVE, number)
        if text:
            names.append(ctypes.cast(text, ctypes.c_char_p).value.decode())  # type: ignore[union-attr]  # not null here
            _free(text)
    return names


def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    except OSError:
        raise UnavailableError("libseccomp is not installed; install the package `libseccomp2`") from None
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_attr_set.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(Argument),
    ]
    library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    library.seccomp_syscall_resolve_num_arch.argtypes = [ctypes.c_uint32, ctypes.c_int]
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    return library


def _free(pointer: int) -> None:
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]
    free(pointer)
