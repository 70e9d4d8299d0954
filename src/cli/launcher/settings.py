"""What `oncall up` reads from the environment; what the processes read is in their own settings."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

FORWARDED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONDONTWRITEBYTECODE")
"""What a process gets of the launcher's environment besides ONCALL_…: no proxy, no stranger's credential."""

_OWN = frozenset({"ONCALL_TOKEN", "ONCALL_SERVER", "ONCALL_DATA_DIR", "ONCALL_READY_FILE"}) | {
    "ONCALL_TLS",
    "ONCALL_CA_FILE",
    "ONCALL_CLIENT_CERTIFICATE",
    "ONCALL_CLIENT_KEY",
}


class LauncherSettings(BaseSettings):
    """See the README for the variables; none of them is needed."""

    model_config = SettingsConfigDict(env_prefix="ONCALL_", extra="ignore", env_ignore_empty=True)

    data_dir: Path | None = None
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    master_key: SecretStr | None = None
    server_listen: str = "127.0.0.1:7443"
    gateway_listen: str = "127.0.0.1:7480"

    @field_validator("server_listen", "gateway_listen")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            message = "must be host:port, with port 0 for any free one"
            raise ValueError(message)
        return value

    @property
    def data_folder(self) -> Path:
        """Where everything that lasts is kept; /var/lib/oncall for root, else below the user's home."""
        if self.data_dir:
            return self.data_dir.expanduser().absolute()
        if os.geteuid() == 0:
            return Path("/var/lib/oncall")
        return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "oncall"


def base_environment() -> dict[str, str]:
    """Answers what every process is given, before its own settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in FORWARDED or (name.startswith("ONCALL_") and name not in _OWN)
    }
