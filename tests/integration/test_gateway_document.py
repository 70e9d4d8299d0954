"""Schemathesis reads the gateway's OpenAPI document and asks, with sense and without, for what stands in it.

Whatever it asks, no answer is an error of ours, and each is one that the document tells: status, type, headers, schema,
and methods. With ONCALL_TEST_LONG=1 it asks for minutes instead of seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import httpx
import pytest

from tests.integration.test_gateway import Site, site
from tests.status_pages import PUBLIC

__all__ = ["site"]  # the fixture

LONG = bool(os.environ.get("ONCALL_TEST_LONG"))
EXTENT = ["--max-time", "120"] if LONG else ["--max-examples", "4", "--generation-deterministic"]
"""The short form asks the same each time, so that a run does not fail by what another did not ask."""
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
]
ENDLESS = "/status/{slug}/events"
"""Its answer has no end, for which a fuzzer waits; tests/integration/test_gateway_edge.py and the browser's read it."""


def described(document: dict[str, object], slugs: list[str]) -> str:
    """Answers the document as it is served, with some slugs that there are named beside any other text."""
    any_slug = document["components"]["parameters"]["slug"]  # type: ignore[index]
    any_slug["schema"] = {"anyOf": [{"enum": slugs}, any_slug["schema"]]}
    return json.dumps(document)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("credential", ["partner", "unknown", "generated"])
async def test_every_answer_is_one_that_the_document_tells(site: Site, tmp_path: Path, credential: str) -> None:
    await site.desk.an_incident(site.page)
    component = await site.desk.a_component(site.page, "Payouts")
    await site.desk.a_maintenance(site.page, component.id)
    public = await site.desk.a_page(PUBLIC)
    document = (await site.gateway.http.get("/openapi.json")).json()
    (tmp_path / "openapi.json").write_text(described(document, ["acme", public.slug]))
    token = {"partner": site.partner.token, "unknown": "ocp_nobodys", "generated": ""}[credential]
    headers = f'headers = {{ Authorization = "Bearer {token}" }}\n' if token else ""
    (tmp_path / "schemathesis.toml").write_text(headers)  # a token is on no command line
    phases = "coverage,fuzzing" if LONG or credential == "partner" else "fuzzing"
    output = await schemathesis(tmp_path, f"http://{site.gateway.address}", phases)
    assert await counted(site.gateway.http) > 50, output  # it asked


async def schemathesis(folder: Path, url: str, phases: str) -> str:
    """Runs it to its end, in one thread: the parser of Python 3.11 fails in several."""
    options = ["--phases", phases, *EXTENT, "--checks", ",".join(CHECKS)]
    options += ["--exclude-path", ENDLESS, "--continue-on-failure", "--request-timeout", "20", "--workers", "1"]
    options += ["--warnings", "off", "--no-color", "--url", url]
    command = [Path(sys.executable).parent / "schemathesis", "--config-file", "schemathesis.toml", "run", *options]
    process = await asyncio.create_subprocess_exec(
        *command,
        "openapi.json",
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    return output


async def counted(http: httpx.AsyncClient) -> float:
    """Answers how many requests the gateway has answered, of which none was an error of ours."""
    lines = [line for line in (await http.get("/metrics")).text.splitlines() if "_requests_total{" in line]
    assert not [line for line in lines if 'status="500"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in lines)
