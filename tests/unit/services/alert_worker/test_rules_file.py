"""The rules file: what it sets, what it leaves, and the one line for each fault."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.alert_worker.quiet_hours import QuietHours, read_hours
from services.alert_worker.rules import RULE_VERSION, RULES
from services.alert_worker.rules.move_abs import MoveAbs
from services.alert_worker.rules.parameters import percents
from services.alert_worker.rules.ruleset import DEFAULTS
from services.alert_worker.rules_example import example
from services.alert_worker.rules_file import MOST_MUTES, Policy, read_rules
from shared.errors import WrongUse

DEPLOYED = Path(__file__).parents[4] / "deploy" / "rules.example.toml"


def test_the_example_says_what_is_so_without_a_file_and_names_every_number() -> None:
    text = DEPLOYED.read_text(encoding="utf-8")
    assert text == example(), "renew it: tapewatch alerts rules --example > deploy/rules.example.toml"
    assert read_rules(text, "example") == read_rules("", "empty") == Policy()
    for rule in RULES:
        assert all(f"\n{key} = " in text for key in type(rule).model_fields)


def test_what_is_commented_out_in_the_example_can_be_used() -> None:
    lines = example().splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("[quiet_hours]"))
    used = [line.removeprefix("# ") for line in lines[first:] if " = " in line or "[" in line]
    text = "\n".join([*lines[:first], *used])
    policy = read_rules(text, "example")
    assert set(policy.quiet) == {"notice", "warning", "danger"}
    assert [mute.target for mute in policy.mutes] == ["KRW-DOGE"]


def test_a_threshold_is_one_number_or_one_a_tier() -> None:
    policy = read_rules("[rules.move]\nfloor_percent = 1\n[rules.move_abs]\npercent = {thin = 12}\n", "r")
    move, move_abs = policy.rules[:2]
    assert move.floor == 0.01
    assert isinstance(move_abs, MoveAbs)
    assert move_abs.percent == percents(2, 2, 12, 2)
    assert policy.ruleset.floor == 0.01
    assert policy.ruleset.version.startswith(f"{RULE_VERSION}+")


def test_a_rule_that_is_off_is_shown_and_not_asked() -> None:
    policy = read_rules("[rules.move]\nenabled = false\n", "r")
    assert [rule.name for rule in policy.rules] == [rule.name for rule in RULES]
    assert "move" not in [rule.name for rule in policy.ruleset.rules]


def test_spelling_and_what_people_hear_are_no_part_of_the_version() -> None:
    texts = (
        "[storms]\nleast_coins = 4\n",
        "# only a word\n",
        '[quiet_hours]\nnotice = "22:30-08:00"\n[[mutes]]\ntarget = "coin:BTC"\nuntil = 2026-12-01T09:00:00\n',
    )
    assert {read_rules(text, "r").ruleset.version for text in texts} == {DEFAULTS.version}


def test_quiet_hours_of_the_file_stand_before_those_of_the_settings() -> None:
    policy = read_rules('[quiet_hours]\nnotice = "22:30-08:00"\n', "r")
    of_settings = QuietHours({"notice": read_hours("01:00-02:00"), "warning": read_hours("03:00-04:00")})
    hours = policy.quiet_hours(of_settings).hours
    assert {name: str(span) for name, span in hours.items()} == {"notice": "22:30-08:00", "warning": "03:00-04:00"}


def test_a_mute_without_an_offset_ends_in_korean_time() -> None:
    text = "".join(
        f'[[mutes]]\ntarget = "rule:move"\nuntil = {until}\n'
        for until in ("2026-12-01 09:00:00", "2026-12-01T00:00:00Z")
    )
    first, second = read_rules(text, "r").mutes
    assert first.until_us == second.until_us == int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[rules.move]\nsigma_1m = 3", "rules.move.sigma_1m: there is no such key: did you mean sigmas_1m?"),
        ("[rules.movee]\n", "rules.movee: there is no such rule: did you mean move?"),
        ("[rules.xyz]\n", "rules.xyz: there is no such rule: there are move, move_abs"),
        ("rules = 3", "rules: has to be tables"),
        ("[rulez]\n", "rulez: there is no such key: did you mean rules?"),
        ("[storm]\n", "storm: there is no such key: did you mean storms?"),
        ("[rules.move_abs]\npercent = {thn = 4}", "rules.move_abs.percent.thn: there is no such key: did you mean thi"),
        ("[rules.move_abs]\npercent = {thin = 400}", "rules.move_abs.percent.thin: 400: it should be less than"),
        ("[rules.move_abs]\npercent = nan", "rules.move_abs.percent.busy: nan: it should be a finite number"),
        ("[rules.move_abs]\npercent = '2'", "rules.move_abs.percent: '2': it should be"),
        ("[rules.move_abs]\nenabled = 'yes'", "rules.move_abs.enabled: 'yes': it should be a valid boolean"),
        ("[storms]\nleast_coins = 1", "storms.least_coins: 1: it should be greater than or equal to 2"),
        ("[tiers]\nbusy_dollars_a_minute = 3", "tiers: busy_dollars_a_minute has to be more than"),
        ("[quiet_hours]\nnotice = '25:00'", "quiet_hours.notice: '25:00': '25:00' is not like 22:30"),
        ("[quiet_hours]\nnotise = '22:00-08:00'", "quiet_hours.notise: there is no such key: did you mean notice?"),
        ("[[mutes]]\ntarget = 'KRW-BTC'", "mutes.0.until: Field required"),
        ("[[mutes]]\ntarget = 'rule:x'\nuntil = 2026-01-01T00:00:00", "mutes.0.target: 'rule:x': there is no rule 'x'"),
        ("[[mutes]]\ntarget = 'a b'\nuntil = 2026-01-01T00:00:00", "mutes.0.target: 'a b': 'a b' is no target"),
        ("[[mutes]]\ntarget = 'A'\nuntil = 5", "mutes.0.until: 5: it should be a valid datetime"),
        ("[[mutes]]\ntarget = 'A'\ntil = 5", "mutes.0."),
        ("[storms\n", "not TOML: "),
        ("[storms]\nleast_coins = " + "1" * 5_000, "has a number that is too long"),
        ("[storms]\nleast_coins = 0x" + "f" * 5_000, "storms.least_coins: "),
        (f"[rules.move]\nfloor_percent = '{'1' * 5_000}'", "rules.move.floor_percent: '111"),
        ("[storms]\nleast_coins = " + "[" * 5_000, "has a number that is too long, or too many brackets"),
        ("[[mutes]]\ntarget = 'A'\nuntil = 2026-01-01T00:00:00\n" * (MOST_MUTES + 1), "mutes: "),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_that_names_file_key_fault_and_remedy(text, said) -> None:
    with pytest.raises(WrongUse) as caught:
        read_rules(text, "my.toml")
    line = str(caught.value)
    assert line.startswith(f"my.toml: {said}"), line
    assert "\n" not in line
    assert "did you mean" in line or "there are" in line or "`tapewatch alerts rules --example`" in line
    assert len(line) < 500
