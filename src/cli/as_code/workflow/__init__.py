"""Workflows as files: YAML that names runbooks and channels as people do, compared with the server and applied."""
