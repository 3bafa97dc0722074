"""The rules file while the worker runs: a change is taken, a broken one is left and said once, SIGHUP looks at once."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from services.alert_worker import rules_keeper
from services.alert_worker.rules import RULE_VERSION
from services.alert_worker.rules_file import MOST_BYTES
from services.alert_worker.rules_keeper import RulesKeeper
from shared.errors import WrongUse
from shared.settings import AlertsSettings

STORMS_OF = "[storms]\nleast_coins = {}\n"


class Kept:
    """A keeper at work, and what it said."""

    def __init__(self, keeper: RulesKeeper) -> None:
        self.keeper, self.stop = keeper, asyncio.Event()
        self.taken: list[int] = []
        self.refused: list[tuple[str, str]] = []
        keeper.listen()
        self.task = asyncio.create_task(keeper.run(self._take, lambda *said: self.refused.append(said), self.stop))

    def _take(self) -> None:
        self.taken.append(self.keeper.policy.ruleset.storms.least_coins)

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            assert not self.task.done()
            await asyncio.sleep(0.01)

    async def end(self) -> None:
        self.stop.set()
        await self.task


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "rules.toml"
    file.write_text(STORMS_OF.format(5), encoding="utf-8")
    return file


def gauge() -> float | None:
    return REGISTRY.get_sample_value("tapewatch_rules_file_refused")


async def test_a_change_is_taken_and_a_broken_one_is_left_and_said_once(file, monkeypatch) -> None:
    monkeypatch.setattr(rules_keeper, "LOOK_EVERY_S", 0.02)
    kept = Kept(RulesKeeper(AlertsSettings(rules_file=file)))
    assert kept.keeper.policy.ruleset.storms.least_coins == 5
    file.write_text(STORMS_OF.format(6), encoding="utf-8")
    await kept.until(lambda: kept.taken == [6])
    file.write_text("[storms", encoding="utf-8")
    await kept.until(lambda: len(kept.refused) == 1)
    assert gauge() == 1
    assert kept.keeper.policy.ruleset.storms.least_coins == 6
    await asyncio.sleep(0.2)
    assert len(kept.refused) == 1
    file.unlink()
    await kept.until(lambda: len(kept.refused) == 2)
    (first, not_toml), (second, missing) = kept.refused
    assert first != second
    assert not_toml.startswith(f"{file}: not TOML")
    assert "No such file" in missing
    file.write_text(STORMS_OF.format(6), encoding="utf-8")
    await kept.until(lambda: kept.taken == [6, 6])
    assert gauge() == 0
    await kept.end()


@pytest.mark.parametrize("text", [STORMS_OF.format("1" * 5_000), STORMS_OF.format("[" * 5_000)])
async def test_what_no_parser_takes_is_refused_and_the_old_rules_are_kept(file, text, monkeypatch) -> None:
    monkeypatch.setattr(rules_keeper, "LOOK_EVERY_S", 0.02)
    kept = Kept(RulesKeeper(AlertsSettings(rules_file=file)))
    file.write_text(text, encoding="utf-8")
    await kept.until(lambda: len(kept.refused) == 1)
    assert kept.keeper.policy.ruleset.storms.least_coins == 5
    await kept.end()


async def test_sighup_looks_at_once(file, monkeypatch) -> None:
    monkeypatch.setattr(rules_keeper, "LOOK_EVERY_S", 1_000.0)
    kept = Kept(RulesKeeper(AlertsSettings(rules_file=file)))
    file.write_text(STORMS_OF.format(7), encoding="utf-8")
    os.kill(os.getpid(), signal.SIGHUP)
    await kept.until(lambda: kept.taken == [7])
    await kept.end()


async def test_what_is_still_being_written_is_not_read(file, monkeypatch) -> None:
    monkeypatch.setattr(rules_keeper, "LOOK_EVERY_S", 0.05)
    kept = Kept(RulesKeeper(AlertsSettings(rules_file=file)))
    contents = iter([b"[sto", b"[storms]\nleast_coi", STORMS_OF.format(8).encode()])
    last = [b""]

    def read(_: Path) -> bytes:
        last[0] = next(contents, last[0])
        return last[0]

    monkeypatch.setattr(rules_keeper, "_content", read)
    await kept.until(lambda: kept.taken == [8])
    assert kept.refused == []
    await kept.end()


async def test_without_a_file_sighup_is_no_reason_to_end() -> None:
    kept = Kept(RulesKeeper(AlertsSettings(quiet_notice="22:30-08:00")))
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0.05)
    assert kept.keeper.policy.ruleset.version == RULE_VERSION
    assert set(kept.keeper.quiet.hours) == {"notice"}
    await kept.end()
    assert (kept.taken, kept.refused) == ([], [])


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"[storms]\nleast = 3\n", "storms.least: there is no such key"), (b"\xff\xfe", "is not UTF-8 text"),
     (b"#" * (MOST_BYTES + 1), "is larger than 1 MiB"), (None, "cannot be read: No such file or directory")],
)  # fmt: skip
def test_a_broken_file_at_the_start_is_wrong_use(file, content, said) -> None:
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(WrongUse, match=said) as caught:
        RulesKeeper(AlertsSettings(rules_file=file))
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{file}: ")
