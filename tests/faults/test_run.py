"""A run of faults always ends with its table, also when a world cannot be made or ends midway."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.errors import WrongUse
from tests.faults import __main__ as run
from tests.faults.fault import Fault
from tests.faults.plan import Planned
from tests.faults.record import load


def a_fault(name: str, stage: str = "plain") -> Fault:
    return Fault("F0", name, "done to nobody", strike=None, bound_s=1, stage=stage)  # type: ignore[arg-type]


@pytest.fixture
def ended_with(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Run these faults in worlds that do as they are told; the exit status, what was printed, what was written down."""

    def go(faults: Sequence[Fault], world: Any, strike_all: Any) -> tuple[int, str, Path]:
        monkeypatch.setattr(run, "FAULTS", faults)
        monkeypatch.setattr(run, "struck_world", world)
        monkeypatch.setattr(run, "strike_all", strike_all)
        monkeypatch.setattr("sys.argv", ["faults", "--seed", "7", "--state", str(tmp_path / "state")])
        return run.main(), capsys.readouterr().out, tmp_path / "state"

    return go


@asynccontextmanager
async def only_plain(stage: str, **_: object) -> AsyncIterator[str]:
    if stage == "hosts":
        raise WrongUse("hosts of their own need root")
    yield stage


async def all_in_vain(_strikes: object, _plan: Sequence[Planned], _tell: object) -> None:
    raise TimeoutError("waited 30 s for consumer-redis to run")


def test_a_world_that_cannot_be_made_is_a_row_and_so_is_what_others_met(ended_with: Any) -> None:
    faults = [a_fault("first"), a_fault("second"), a_fault("elsewhere", "hosts")]
    status, said, state = ended_with(faults, only_plain, all_in_vain)

    assert status == 1
    assert "3 of 3 faults broke an invariant" in said
    assert "elsewhere: has no outcome, WrongUse: hosts of their own need root" in said
    assert said.count("TimeoutError: waited 30 s for consumer-redis to run") == 2
    assert said.count("was not struck, its world had ended") == 1
    assert len(load(state, faults)) == 1  # the others keep the last result that they had


def test_what_nobody_foresaw_ends_the_run_with_what_it_found(
    ended_with: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def broken(stage: str, **_: object) -> AsyncIterator[str]:
        if stage == "plain":
            raise WrongUse("there is no room")
        yield f"{1 // 0}"

    with pytest.raises(ZeroDivisionError):
        ended_with([a_fault("first"), a_fault("elsewhere", "hosts")], broken, all_in_vain)
    assert "first: has no outcome, WrongUse: there is no room" in capsys.readouterr().out
