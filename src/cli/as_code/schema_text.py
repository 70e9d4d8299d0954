"""The JSON schema of a format, as editors read it."""

from __future__ import annotations

import json

from pydantic import BaseModel


def schema_text(form: type[BaseModel]) -> str:
    """Answers the JSON schema of the files that fill in `form`."""
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **form.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
