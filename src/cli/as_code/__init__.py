"""What is kept as YAML files: read, held against a format, compared with the server, applied and exported."""
