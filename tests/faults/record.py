"""What faults have cost so far, a line of JSON each, so that a run can go on and its last result can be shown."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from tests.faults.fault import Fault
from tests.faults.ledger import Outcome

UNKNOWN = "unknown"
"""The commit of a row that was written where there was no git, or before rows had one."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One fault's last result. `caught_up_s` None: never; `memory_mb`: the most that any service had.

    `prices_live_s` is None where nobody looked.
    """

    code: str
    name: str
    says: str
    stage: str
    seed: int
    injected: int
    published: int
    lost: int
    doubled: int
    out_of_order: int
    in_gaps: int
    caught_up_s: float | None
    restarts: int
    memory_mb: float
    broken: list[str]
    prices_live_s: float | None = None
    commit: str = UNKNOWN

    @classmethod
    def of(cls, outcome: Outcome, seed: int, commit: str = UNKNOWN) -> "Row":
        """What an outcome says, without what only its run needed."""
        fault, cost = outcome.fault, outcome.cost
        return cls(
            code=fault.code,
            name=fault.name,
            says=fault.says,
            stage=fault.stage,
            seed=seed,
            injected=outcome.times,
            published=outcome.published,
            lost=cost.lost,
            doubled=cost.doubled,
            out_of_order=cost.out_of_order,
            in_gaps=cost.gapped,
            caught_up_s=outcome.caught_up_s,
            restarts=outcome.restarts,
            memory_mb=outcome.peak_mb,
            broken=outcome.broken,
            prices_live_s=outcome.prices_live_s,
            commit=commit,
        )


def not_struck(faults: Sequence[Fault], seed: int, error: Exception, commit: str = UNKNOWN) -> list[Row]:
    """Rows of faults that have no outcome because `error` ended their world; the first was being struck."""
    why = f"{type(error).__name__}: {error}"
    return [
        Row(
            code=fault.code,
            name=fault.name,
            says=fault.says,
            stage=fault.stage,
            seed=seed,
            injected=0,
            published=0,
            lost=0,
            doubled=0,
            out_of_order=0,
            in_gaps=0,
            caught_up_s=None,
            restarts=0,
            memory_mb=0.0,
            broken=[f"has no outcome, {why}" if place == 0 else f"was not struck, its world had ended: {why}"],
            commit=commit,
        )
        for place, fault in enumerate(faults)
    ]


def load(path: Path, faults: Iterable[Fault]) -> dict[str, Row]:
    """The last row of each fault by its name; none when there is no record yet.

    What a fault was before it came to do something else is no result of it.
    """
    if not path.exists():
        return {}
    whole = path.read_bytes()
    whole = whole[: whole.rfind(b"\n") + 1]  # who was killed may have left part of a line
    rows = msgspec.json.Decoder(Row).decode_lines(whole)
    says = {fault.name: (fault.code, fault.says, fault.stage) for fault in faults}
    return {row.name: row for row in rows if says.get(row.name) == (row.code, row.says, row.stage)}


def append(path: Path, rows: Iterable[Row]) -> None:
    """Add rows to the record; a later one of the same fault counts instead of the earlier."""
    with path.open("ab") as record:
        record.write(msgspec.json.Encoder().encode_lines(list(rows)))
