"""What doctor says to type on a host with units."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from services.cli.doctor import asking, enabled, units, verdicts
from services.cli.doctor.command import doctor
from services.cli.doctor.facts import SettingsFacts, SlackFacts
from services.cli.doctor.finding import Finding
from services.cli.doctor.units import in_units
from shared import logs
from shared.settings import load_with_origins

DEPLOY = Path(__file__).parents[5] / "deploy/systemd"
ALL = {"tapewatch.target", "tapewatch-alert-worker", "tapewatch-watchdog", "tapewatch-deadman"}
CREDENTIALS = "/etc/tapewatch/credentials"


def said(findings: Iterator[Finding], *enabled: str) -> list[str]:
    return [next_ for one in findings if (next_ := in_units(one, enabled or ALL).next)]


def settings_facts(**environ: str) -> SettingsFacts:
    loaded = load_with_origins(environ)
    return SettingsFacts(loaded.settings, loaded.origins)


def test_a_secret_is_written_where_its_units_are_given_it_from() -> None:
    kafka = settings_facts(TAPEWATCH_KAFKA__SECURITY_PROTOCOL="SASL_SSL")
    assert said(verdicts.secrets(kafka)) == [
        f"write it into {CREDENTIALS}/kafka/sasl_password, then systemctl restart tapewatch.target"
    ]
    assert said(verdicts.watchdog(settings_facts()), "tapewatch-watchdog") == [
        f"write it into {CREDENTIALS}/watchdog/webhook_url, then systemctl restart tapewatch-watchdog",
        f"write it into {CREDENTIALS}/watchdog/heartbeat_url, then systemctl restart tapewatch-watchdog",
    ]


def test_only_units_of_this_host_are_restarted() -> None:
    refused = SlackFacts("token", ["#a"], refused="invalid_auth")
    written = f"put the bot token of your app into {CREDENTIALS}/slack/bot_token"
    assert said(verdicts.slack(refused), "tapewatch-watchdog", "tapewatch-producer@upbit") == [
        f"{written}, then systemctl restart tapewatch-watchdog"
    ]
    assert said(verdicts.slack(refused), "tapewatch-setup") == [written]
    [next_] = said(verdicts.slack(SlackFacts("none")))
    assert next_.startswith(f"write it into {CREDENTIALS}/slack/bot_token, or {CREDENTIALS}/slack/webhook_url, then ")
    assert next_.endswith("systemctl restart tapewatch-alert-worker tapewatch-watchdog tapewatch-deadman")


@pytest.mark.parametrize(
    ("enabled_units", "next_"),
    [
        (frozenset(), f"write it into {CREDENTIALS}/slack/bot_token, or {CREDENTIALS}/slack/webhook_url"),
        (None, "set TAPEWATCH_SLACK__BOT_TOKEN_FILE, or TAPEWATCH_SLACK__WEBHOOK_URL_FILE"),
    ],
)
def test_the_command_names_files_where_units_are_installed_and_variables_elsewhere(
    enabled_units: frozenset[str] | None,
    next_: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def ask_all(*_: object) -> dict[str, object]:
        return {"slack": SlackFacts("none")}

    monkeypatch.setattr(asking, "ask_all", ask_all)
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    monkeypatch.setattr(enabled, "enabled_units", lambda: enabled_units)
    with pytest.raises(typer.Exit):
        doctor(as_json=True)
    [finding] = json.loads(capsys.readouterr().out)["findings"]
    assert finding["next"] == next_


def test_what_is_about_no_secret_stays_as_it_is() -> None:
    finding = Finding("topics", "wrong", "x is not there", "tapewatch topics create")
    assert in_units(finding, ALL) == finding


@pytest.mark.parametrize("section", ["kafka", "slack", "watchdog"])
def test_each_secret_is_read_by_the_units_that_are_named_and_no_others(section: str) -> None:
    given = {
        path.stem: path.read_text(encoding="utf-8")
        for path in DEPLOY.glob("*.service")
        if f"LoadCredential={section}:{CREDENTIALS}/{section}\n" in path.read_text(encoding="utf-8")
    }
    named = units._GIVEN_TO[section]
    if named == ("tapewatch.target",):
        assert given
        assert all("PartOf=tapewatch.target" in text for text in given.values())
    else:
        assert given.keys() == set(named)
    assert f"d {CREDENTIALS}/{section} " in (DEPLOY / "tapewatch.tmpfiles").read_text(encoding="utf-8")
