from dataclasses import replace
from pathlib import Path

from tests.faults.catalogue import FAULTS
from tests.faults.fault import Struck
from tests.faults.ledger import Outcome, Resources, Totals, judge
from tests.faults.record import Row, append, load
from tests.faults.table import page, verdict

_KILLED, _FROZEN = FAULTS[1], FAULTS[2]


def _outcome(**changes: object) -> Outcome:
    calm = Outcome(
        fault=_KILLED,
        times=3,
        cost=Totals(gapped=1_234),
        caught_up_s=1.5,
        restarts=2,
        resources=Resources({"redis": 40.0, "consumer-redis": 70.4}, {}),
        published=9_876,
    )
    return replace(calm, **changes)  # type: ignore[arg-type]


def test_the_last_result_of_a_fault_counts(tmp_path: Path) -> None:
    record = tmp_path / "record"
    assert load(record, FAULTS) == {}

    append(record, [Row.of(_outcome(broken=["1 lost"]), 7), Row.of(_outcome(fault=_FROZEN), 7)])
    append(record, [Row.of(_outcome(), 8)])

    assert {name: (row.seed, row.broken) for name, row in load(record, FAULTS).items()} == {
        _KILLED.name: (8, []),
        _FROZEN.name: (7, []),
    }


def test_what_a_fault_was_before_it_came_to_do_something_else_is_no_result_of_it(tmp_path: Path) -> None:
    append(tmp_path / "record", [Row.of(_outcome(), 7), Row.of(_outcome(fault=_FROZEN), 7)])

    changed = replace(_KILLED, says="and the market falls")
    assert list(load(tmp_path / "record", [changed, _FROZEN])) == [_FROZEN.name]


def test_the_page_shows_each_result_and_names_what_has_none() -> None:
    row = Row.of(_outcome(), 7)
    text = page([_KILLED, _FROZEN], {row.name: row})

    assert (
        f"| {_KILLED.code} {_KILLED.name} | {_KILLED.says} | 3 | 9,876 | 0 | 0 | 0 | 1,234 | 1.50 | 2 | 70 | 2 | 1 |"
        in text
    )
    assert f"Not run yet: {_FROZEN.name}." in text
    assert "every invariant held in 1 of 1 faults" in text


def test_the_page_names_every_commit_that_a_row_is_of(tmp_path: Path) -> None:
    record = tmp_path / "record"
    append(record, [Row.of(_outcome(), 7, "abc1234"), Row.of(_outcome(fault=_FROZEN), 7)])
    before_rows_had_one = record.read_text().replace(',"commit":"unknown"', "")
    assert before_rows_had_one.count('"commit"') == 1
    record.write_text(before_rows_had_one)

    assert "Commits: abc1234, unknown.\n" in page([_KILLED, _FROZEN], load(record, FAULTS))


def test_prices_that_were_live_late_break_the_row_and_the_page_shows_when_they_were() -> None:
    struck, late = Struck(), _outcome(cost=Totals(), prices_live_s=2.3)
    late = judge(late, struck, {}, patience=1.0)
    assert late.broken == ["prices were live after 2.3 s instead of 2.0 s"]
    assert judge(_outcome(cost=Totals(), prices_live_s=2.3), struck, {}, patience=2.0).broken == []

    row = Row.of(late, 7)
    assert "| 1.50 (prices: 2.30) |" in page([_KILLED], {row.name: row})


def test_the_page_says_what_broke() -> None:
    row = Row.of(_outcome(broken=["1 lost"], caught_up_s=None), 7)
    text = page([_KILLED], {row.name: row})

    assert f"- {_KILLED.code} {_KILLED.name}: 1 lost" in text
    assert "never" in text
    assert verdict([row]) == "1 of 1 faults broke an invariant"


def test_the_page_shows_what_each_is_held_to_and_what_is_aimed_at() -> None:
    held, wider = replace(_KILLED, bound_s=1), replace(_FROZEN, bound_s=3)
    rows = {one.name: Row.of(_outcome(fault=one), 7) for one in (held, wider)}
    last_cells = [line.split(" | ")[-2:] for line in page([held, wider], rows).splitlines() if line.startswith("| F1 ")]

    assert last_cells == [["1", " |"], ["3", "1 |"]]
