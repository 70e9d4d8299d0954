"""Runbooks as files: YAML with the script beside it, compared with the server, applied and exported."""
