"""What doctor reads of the units that are installed on a host."""

from pathlib import Path

import pytest

from services.cli.doctor import enabled


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its `etc`, with nothing of ours in it."""
    monkeypatch.setattr(enabled, "_SETTINGS", tmp_path / "tapewatch")
    monkeypatch.setattr(enabled, "_CREDENTIALS", tmp_path / "tapewatch/credentials")
    monkeypatch.setattr(enabled, "_UNITS", tmp_path / "system")
    return tmp_path


def install(host: Path, *units: str) -> None:
    for name in ("owner", "postgres", "redis"):
        (host / "tapewatch/credentials" / name).mkdir(parents=True)
    for target in ("tapewatch.target", "multi-user.target"):
        (host / f"system/{target}.wants").mkdir(parents=True)
    for unit in units:
        target = "multi-user.target" if unit.endswith(("watchdog", ".target")) else "tapewatch.target"
        name = unit if unit.endswith(".target") else f"{unit}.service"
        (host / f"system/{target}.wants" / name).symlink_to("/nowhere")


def test_only_units_that_are_enabled_here_are_asked_for_their_login(host: Path) -> None:
    install(host, "tapewatch-setup", "tapewatch-consumer@postgres")
    (host / "tapewatch/credentials/owner/dsn").write_text("postgresql://x")
    (host / "tapewatch/credentials/postgres/dsn").touch()
    empty = str(host / "tapewatch/credentials/postgres/dsn")
    assert enabled.units_without_secret() == {"tapewatch-consumer@postgres": empty}


def test_where_nothing_is_installed_no_unit_lacks_a_login_and_every_exchange_may_be_read(host: Path) -> None:
    (host / "system").mkdir()
    assert enabled.enabled_units() is None
    assert enabled.units_without_secret() == {}
    assert enabled.is_read_here("upbit")


def test_units_of_both_targets_are_known(host: Path) -> None:
    install(host, "tapewatch.target", "tapewatch-watchdog", "tapewatch-alert-worker")
    units = enabled.enabled_units()
    assert units == frozenset({"tapewatch.target", "tapewatch-watchdog", "tapewatch-alert-worker"})
    assert not enabled.is_read_here("upbit")


def test_an_exchange_is_read_by_its_producer_or_by_a_shard_that_names_it(host: Path) -> None:
    install(host, "tapewatch-producer@upbit", "tapewatch-producer@second")
    assert enabled.is_read_here("upbit")
    assert not enabled.is_read_here("binance")
    (host / "tapewatch/tapewatch-producer@second.env").write_text('SHARD=1/2\nEXCHANGE="binance"\n')
    assert enabled.is_read_here("binance")
