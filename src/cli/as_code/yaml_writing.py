"""Writes fields as YAML that people like to read and that reads back as exactly what was written."""

from __future__ import annotations

import io
import re
import sys
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

# Characters that stand for themselves wherever they are: no controls, no line break of any kind, no byte order mark.
_PLAIN = "[ -~\xa1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
_PLAIN_LINE = re.compile(f"{_PLAIN}*")
_WORD = re.compile("[A-Za-z_][A-Za-z0-9_.-]*")
# Lines that a literal block holds as they are: the first not indented, none ending in a space, none empty at the end.
_LITERAL = re.compile(rf"(?! )(?:{_PLAIN}*(?<! )\n)*{_PLAIN}+(?<! )\n?")


def to_yaml(fields: dict[str, Any]) -> str:
    """Answers one document; keys keep their order."""
    yaml = YAML()
    yaml.width = sys.maxsize  # a line of text stays one line, so that a diff shows what changed
    yaml.allow_unicode = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_styled(fields), stream)
    return stream.getvalue()


def plain_number(number: float) -> float:
    """Answers a whole number without its point, as people write it; not -0.0, which is no whole number's."""
    whole = float(number).is_integer() and abs(number) < 2**53 and str(number) != "-0.0"
    return int(number) if whole else float(number)


def _styled(value: Any) -> Any:
    if isinstance(value, dict):
        return {_styled_key(key): _styled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_styled(item) for item in value]
    if not isinstance(value, str) or _PLAIN_LINE.fullmatch(value):
        return value
    if not value.startswith("\n") and _LITERAL.fullmatch(value):
        return LiteralScalarString(value)
    return DoubleQuotedScalarString(value)  # everything else is escaped


def _styled_key(key: str) -> str:
    return key if _WORD.fullmatch(key) else DoubleQuotedScalarString(key)
