"""What a script's output may do to the terminal it is shown on: colours, and nothing else.

A script is reviewed, but what it prints often comes from elsewhere: a log line, a file name, a web page. Such text must
not move the cursor over what was said before, set the window title, or make the terminal type an answer into the
shell. So on a terminal only SGR sequences (colours, bold) and plain layout characters pass; where output is redirected
every byte passes unchanged.
"""

from __future__ import annotations

import codecs
import re
from enum import Enum, auto

RESET = b"\x1b[0m"
_LAYOUT = "\t\n\r\b"
_STRING_STARTS = "P]X^_"  # DCS, OSC, SOS, PM, APC
_LONGEST_SGR = 64
_OBEYED = re.compile(r"[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class _State(Enum):
    TEXT = auto()
    ESCAPE = auto()
    CSI = auto()
    STRING = auto()
    NOISE = auto()
    """Within a sequence that began as an unknown escape: its intermediate bytes are dropped with it."""


class EscapeFilter:
    """Filters one stream, fed in chunks that may be cut anywhere; bytes that are no UTF-8 become U+FFFD."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._state = _State.TEXT
        self._parameters = ""
        self._coloured = False

    def feed(self, data: bytes) -> bytes:
        """Answers what may be shown by now; a started character or sequence waits for its end."""
        return self._filter(self._decode(data))

    def close(self) -> bytes:
        """Answers what is left, and ends the script's colours."""
        rest = self._filter(self._decode(b"", True))
        self._state = _State.TEXT
        return rest + (RESET if self._coloured else b"")

    def _filter(self, text: str) -> bytes:
        if self._state is _State.TEXT and not _OBEYED.search(text):
            return text.encode()  # nearly always
        return "".join(map(self._step, text)).encode()

    def _step(self, char: str) -> str:
        match self._state:
            case _State.TEXT:
                return self._text(char)
            case _State.CSI:
                return self._csi(char)
            case _State.ESCAPE:
                return self._escape(char)
            case _State.STRING:
                return self._string(char)
            case _State.NOISE:
                return self._noise(char)

    def _text(self, char: str) -> str:
        self._state = _State.TEXT
        if char == "\x1b":
            self._state = _State.ESCAPE
        elif char == "\x9b":
            self._state, self._parameters = _State.CSI, ""
        elif char in "\x90\x98\x9d\x9e\x9f":
            self._state = _State.STRING
        elif char in _LAYOUT or not (char < " " or "\x7f" <= char <= "\x9f"):
            return char
        return ""

    def _escape(self, char: str) -> str:
        if char == "[":
            self._state, self._parameters = _State.CSI, ""
        elif char in _STRING_STARTS:
            self._state = _State.STRING
        elif " " <= char <= "/":
            self._state = _State.NOISE
        elif "0" <= char <= "~":
            self._state = _State.TEXT
        else:
            return self._text(char)
        return ""

    def _csi(self, char: str) -> str:
        if " " <= char <= "?":
            self._parameters += char if len(self._parameters) <= _LONGEST_SGR else ""
            return ""
        if not "@" <= char <= "~":  # broken off: what follows is text again
            return self._text(char)
        self._state = _State.TEXT
        if char != "m" or len(self._parameters) > _LONGEST_SGR or self._parameters.strip("0123456789;:"):
            return ""
        self._coloured = self._parameters.strip("0;:") != ""
        return f"\x1b[{self._parameters}m"

    def _string(self, char: str) -> str:
        """Drops a string for the terminal; a line feed ends it, so that a broken one cannot hide all that follows."""
        if char in "\n\x1b\x18\x1a":
            return self._text(char)
        if char in "\x07\x9c":
            self._state = _State.TEXT
        return ""

    def _noise(self, char: str) -> str:
        if " " <= char <= "/":
            return ""
        if "0" <= char <= "~":
            self._state = _State.TEXT
            return ""
        return self._text(char)
