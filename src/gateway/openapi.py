"""The OpenAPI document of the gateway, as it is served; a test compares it with the routes."""

from __future__ import annotations

from importlib.resources import files

DOCUMENT = (files("gateway") / "static" / "openapi.json").read_bytes()
