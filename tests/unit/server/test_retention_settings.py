"""Nobody can set an age that is shorter than what is still asked for."""

from __future__ import annotations

import pytest

from kernel.settings import load
from server.settings import JobsSettings


@pytest.fixture(autouse=True)
def required(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "MASTER_KEY"):
        monkeypatch.setenv(f"ONCALL_{name}", "x")


@pytest.mark.parametrize(
    ("name", "default", "least"),
    [("incident", 800, 100), ("status", 400, 100), ("partner_token", 400, 30)],
)
def test_an_age_is_for_ever_or_long_enough(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, default: int, least: int
) -> None:
    setting = f"{name}_retention_days"
    assert getattr(load(JobsSettings), setting) == default
    for days in (0, least, 36_500):
        monkeypatch.setenv(f"ONCALL_{setting.upper()}", str(days))
        assert getattr(load(JobsSettings), setting) == days
    for days in (-1, 1, least - 1):
        monkeypatch.setenv(f"ONCALL_{setting.upper()}", str(days))
        with pytest.raises(SystemExit):
            load(JobsSettings)
    assert f"must be 0, for ever, or at least {least} days" in capsys.readouterr().err
