"""The `oncall` command: a gRPC client for people, and the launcher that runs everything on one machine."""
