"""What templates and conditions come to."""

from __future__ import annotations

from typing import Any

import pytest

from server.domain.workflow.language import (
    TemplateProblem,
    fill,
    fill_all,
    fill_text,
    holds,
    parse_condition,
    parse_template,
)
from server.domain.workflow.value import Open

OUTPUT = {"n": 5, "ok": True, "items": [3, 1, 2], "hosts": [{"name": "a"}, {"name": "b"}], "none": None, "big": 2**60}
CONTEXT: dict[str, Any] = {
    "incident": {"title": "Disk full", "severity": "SEV2", "labels": Open({"host": "db-1"})},
    "service": Open(),
    "nodes": {"x": {"status": "SUCCEEDED", "stdout": "one\ntwo\n", "output": OUTPUT}, "y": {"output": None}},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("{{ nodes.x.output.n }}", 5),
        ("{{ nodes.x.output.n }} ", "5 "),
        ("{{ nodes.x.output.n }}\n", "5\n"),
        ("{{ nodes.x.output.ok }}", True),
        ("it is {{ nodes.x.output.ok }}, {{ nodes.x.output.none }}", "it is true, null"),
        ("{{ nodes.x.output.items }}", [3, 1, 2]),
        ("{{ nodes['x'].output['items'][-1] }}", 2),
        ("{{ nodes.x.output.items[1:] }}", [1, 2]),
        ("{{ nodes.x.output.big }}", 2**60),
        ("all: {{ nodes.x.output.items|sort|join(', ') }}", "all: 1, 2, 3"),
        ("{{ nodes.x.stdout|lines|last|upper }}", "TWO"),
        ("{{ incident.labels.env|default('none') }}", "none"),
        ("{{ nodes.x.output.a.b.c|d(1) }}", 1),
        ("{{ nodes.y.output.a is defined }}", False),
        ("{{ 'yes' if incident.labels.env == 'prod' else 'no' }}", "no"),
        ("{{ 7 // 2 }}-{{ 7 % 2 }}-{{ 1 + 2 * 3 - -4 }}-{{ 1 / 4 }}", "3-1-11-0.25"),
        ("{{ 'a' + 'b' ~ 1 ~ true }}", "ab1true"),
        ("{{ {'a': [1, (2, 3)]} }}", {"a": [1, [2, 3]]}),
        ("{{ '42'|int + 1 }}", 43),
        ("{{ 'x'|int(0) }}", 0),
        ("{{ 2.5|round }} {{ 2.345|round(2) }}", "2 2.35"),
        ("{{ 'a b&c/ä'|urlencode }}", "a%20b%26c%2F%C3%A4"),
        ("{{ nodes.x.output|length }}", 6),
        ("{{ 'abcdef'|truncate(4) }}", "abc…"),
        ("{{ {'b': 1}|items }}", [["b", 1]]),
        ("{{ [1, 2, 2]|unique|sum }}", 3),
        ("{{ 1 < 2 < 3 }}", True),
        ("{{ 'full' in incident.title and 2 not in [1] }}", True),
        ("{# nothing #}{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{% if nodes.x.output.n > 9 %}a{% elif nodes.x.output.n > 4 %}b{% else %}c{% endif %}", "b"),
        ("{% for h in nodes.x.output.hosts %}{{ loop.index }}{{ h.name }}{{ loop.last }}{% endfor %}", "1afalse2btrue"),
        ("{% for i in nodes.x.output.items if i > 1 %}{{ i }}{% else %}none{% endfor %}", "32"),
        ("{% for k, v in {'a': 1}|items %}{{ k }}{{ v }}{% endfor %}", "a1"),
        ("{% for i in [] %}{{ i }}{% else %}none{% endfor %}", "none"),
    ],
)  # fmt: skip
def test_a_template_comes_to_its_value(text: str, value: object) -> None:
    found = fill(parse_template(text), CONTEXT)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ nodes.x.output.host }}", "nodes.x.output.host is not there"),
        ("{{ incident.labels.env }}", "incident.labels.env is not there"),
        ("{{ service.name }}", "service.name is not there"),
        ("{{ nodes.y.output.a }}", "nodes.y.output.a is not there"),
        ("{{ nodes.x.output.host == 'a' }}", "nodes.x.output.host is not there"),
        ("{{ nodes.x.output.items[9] }}", "nodes.x.output.items.9 is not there"),
        ("{{ [incident.labels.env] }}", "incident.labels.env is not there"),
        ("{{ 1 < 'a' }}", "only numbers can be ordered, and texts"),
        ("{{ true + 1 }}", "only numbers can be reckoned with; texts are joined by `~`"),
        ("{{ nodes.x.output.big + 1 }}", "it makes a number of more than 53 bits"),
        ("{{ 'x'|int }}", "it is not a number"),
        ("{{ 1 / 0 }}", "it divides by zero"),
        ("{% for a in nodes.x.output %}{% endfor %}", "a loop wants a list; of an object, use `|items`"),
        ("{% for a, b in [[1]] %}{% endfor %}", "the items of this loop do not have 2 parts"),
        ("a\n{{ x", "it cannot be read in line 2: unexpected end of template, expected 'end of print statement'"),
        ("{{ 'a'|upper(1) }}", "the filter `upper` does not take these arguments"),
        ("{{ 'a' is string(1) }}", "the test `string` does not take these arguments"),
        ("{{ 'a' if 1 }}", "`… if …` needs an `else`"),
        ("{{ x() }}", "a call is not part of the language"),
    ],
)  # fmt: skip
def test_what_cannot_be_filled_in_says_why(text: str, problem: str) -> None:
    with pytest.raises(TemplateProblem) as found:
        fill(parse_template(text), CONTEXT)
    assert str(found.value) == problem


@pytest.mark.parametrize(
    ("text", "holding"),
    [
        ("incident.severity in ['SEV1', 'SEV2']", True),
        ("incident.severity < 'SEV2'", False),
        ("incident.labels.env == 'prod'", False),
        ("incident.labels.env != 'prod'", True),
        ("incident.labels.env in ['prod', 'stage']", False),
        ("'a' in incident.labels.env", False),
        ("not incident.labels.env", True),
        ("incident.labels.env or incident.labels.host", True),
        ("service.name == 'api'", False),
        ("nodes.x.output.ok == 1", False),
        ("nodes.x.output.items", True),
        ("nodes.x.output.none", False),
        ("''", False),
    ],
)
def test_a_condition_holds_or_not(text: str, *, holding: bool) -> None:
    assert holds(parse_condition(text), CONTEXT) is holding


@pytest.mark.parametrize("text", ["", " ", "{{ 1 }}", "1 2", "1 +", "a = 1", "{% if 1 %}"])
def test_a_condition_is_one_expression(text: str) -> None:
    with pytest.raises(TemplateProblem):
        parse_condition(text)


def test_it_tells_what_it_speaks_of() -> None:
    loop = "{% for a in nodes.x.output.b if a.c %}{{ a.d }}{{ loop.index }}{{ t['u'][v.w].x }}"
    text = loop + "{% else %}{{ a }}{% endfor %}"
    expected = {("nodes", "x", "output", "b"), ("t", "u"), ("v", "w"), ("a",)}
    assert parse_template(text).names() == expected
    assert parse_condition("not (a.b is defined) or c|default(d.e) == [f]").names() == {
        ("a", "b"),
        ("c",),
        ("d", "e"),
        ("f",),
    }


def test_everything_in_a_value_is_filled_in_but_keys() -> None:
    value = {"{{ 1 }}": ["{{ nodes.x.output.n }}", {"a": "{{ incident.title }}!"}], "n": 1, "none": None}
    assert fill_all(value, CONTEXT) == {"{{ 1 }}": [5, {"a": "Disk full!"}], "n": 1, "none": None}


def test_all_of_a_value_shares_one_budget() -> None:
    heavy = "{% for a in many %}{{ a }}{% endfor %}"
    context = {"many": [0] * 3_000}
    assert len(str(fill_all([heavy], context))) > 3_000
    with pytest.raises(TemplateProblem, match="too much work"):
        fill_all([heavy] * 5, context)


def test_a_value_alone_is_written_where_text_is_wanted() -> None:
    assert fill_text("{{ nodes.x.output.items }}", CONTEXT) == "[3, 1, 2]"
    assert fill_text("{{ incident.title }}", CONTEXT) == "Disk full"
    assert fill_text("plain", CONTEXT) == "plain"
