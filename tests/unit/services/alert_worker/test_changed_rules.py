"""Rules that change while the tape is watched: what is known stays, what is open goes on, what begins is of the new."""

from services.alert_worker.episodes import Episode
from services.alert_worker.partition import Partition
from services.alert_worker.rules import RULE_VERSION, RULES
from services.alert_worker.rules.move_abs import MoveAbs
from services.alert_worker.rules.parameters import percents
from services.alert_worker.rules.ruleset import DEFAULTS, ruleset
from services.alert_worker.watch import Watch

DEAF = ruleset((MoveAbs(percent=percents(50)),))
KEEN = ruleset((MoveAbs(percent=percents(0.5)),))


def test_other_numbers_give_other_alerts_with_other_ids(watch, flash_crash) -> None:
    usual = watch(flash_crash)
    assert watch(flash_crash, Partition(DEAF)) == []
    keen = watch(flash_crash, Partition(KEEN))
    assert keen[0].state == usual[0].state == "open"
    assert keen[0].started_at_us <= usual[0].started_at_us
    assert {alert.rule_version for alert in keen} == {KEEN.version} != {RULE_VERSION}
    assert keen[0].episode_id != usual[0].episode_id


def test_the_same_numbers_give_the_same_ids_whoever_wrote_them_down(watch, flash_crash) -> None:
    again = ruleset(tuple(type(rule)(**rule.model_dump()) for rule in RULES))
    assert watch(flash_crash, Partition(again)) == watch(flash_crash)


def test_an_open_episode_goes_on_under_the_version_it_began_with(watch, flash_crash) -> None:
    partition = Partition()
    told, changed = [], False
    for offset, trade in enumerate(flash_crash):
        told += [one.alert for one in partition.observe(trade, offset)]
        if told and not changed:
            partition.change_rules(KEEN)
            changed = True
    assert told[0].state == "open"
    assert told[-1].state == "resolve"
    first = told[0].episode_id
    assert [alert.rule_version for alert in told if alert.episode_id == first].count(RULE_VERSION) >= 2


def test_a_restart_with_other_numbers_forgets_nothing(watch, flash_crash, restart) -> None:
    before = Partition()
    cut = len(flash_crash) // 3
    watch(flash_crash[:cut], before)
    after, resume = restart(before, KEEN)
    (was,), (found,) = before.symbols(), after.symbols()
    assert found.baseline.packed() == was.baseline.packed()
    assert found.rules is KEEN
    assert watch(flash_crash[resume:], after, resume)[0].rule_version == KEEN.version


def test_a_watch_hands_the_rules_to_every_symbol(flash_crash) -> None:
    watch = Watch(2)
    for offset, trade in enumerate(flash_crash[:50]):
        watch.observe(trade, offset, offset % 2)
    watch.change_rules(KEEN)
    assert {detector.rules.version for partition in watch.partitions for detector in partition.symbols()} == {
        KEEN.version
    }


def test_an_episode_is_over_within_half_of_its_own_floor() -> None:
    small = Episode("e", "v", 1, 1000, 0, 0, "move_abs", 1010, 1010, 0, 0, 0.01, floor=0.005)
    small.move(1003, 10)
    assert small.in_band_since is None
    small.move(1002, 20)
    assert small.in_band_since == 20
    assert DEFAULTS.floor == 0.015
