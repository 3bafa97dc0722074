"""``python -m tests.soak``: kill -9 at random moments under load, counted in periods; goes on where it was interrupted.

python -m tests.soak --kills 1000              # until 1,000 blows have fallen; the result is written to docs/SOAK.md
python -m tests.soak --kills 20 --fresh        # forget an interrupted soak and begin a short one
python -m tests.soak --kills 0 --calm-minutes 60 --document    # the calm alone, and its part of docs/SOAK.md
"""

import argparse
import asyncio
import logging
import random
import sys
from pathlib import Path

from rich.console import Console

from shared.errors import TapewatchError, WrongUse
from tests.faults.world import running_world
from tests.soak.blows import Blow, period
from tests.soak.calm import run_calm
from tests.soak.period import run_period
from tests.soak.record import Record, load, save
from tests.soak.table import FULL, page, verdict
from tests.soak.verdict import broken

_DOCUMENT = Path("docs/SOAK.md")


def main() -> int:
    """Run or go on with a soak; the exit status."""
    arguments = _parse()
    console = Console(highlight=False, soft_wrap=True)
    logging.basicConfig(level=logging.CRITICAL)  # our own clients complain while their servers are away
    try:
        record = _record(arguments)
        console.print(
            f"seed {record.seed}: {record.blows} of {arguments.kills} blows so far, at {record.rate:.0f} messages/s; "
            f"the record is {arguments.state}"
        )
        is_over = record.blows >= arguments.kills and (record.calm is not None or not arguments.calm_minutes)
        if not is_over and not record.broken:
            asyncio.run(_soak(record, arguments, console))
    except TapewatchError as error:
        print(f"tests.soak: {error}", file=sys.stderr)
        return error.exit_code
    if record.blows >= FULL or arguments.document:
        _DOCUMENT.write_text(page(_DOCUMENT.read_text(encoding="utf-8"), record, _command(record)), encoding="utf-8")
        console.print(f"written: {_DOCUMENT}")
    else:
        console.print(page("", record, _command(record)), markup=False)
    console.print(f"{record.blows} blows, {record.kills} kills: {verdict(record)}")
    return 1 if broken(record) else 0


def _command(record: Record) -> str:
    """What began this soak."""
    minutes = record.calm.seconds / 60 if record.calm else 0
    arguments = f"--rate {record.rate:.0f} --calm-minutes {minutes:.0f} --document"
    return f"make soak KILLS={record.blows} SEED={record.seed} ARGS='{arguments}'"


def _record(arguments: argparse.Namespace) -> Record:
    if not arguments.fresh and (found := load(arguments.state)) is not None:
        if arguments.seed not in (None, found.seed):
            raise WrongUse(
                f"{arguments.state} is of a soak with seed {found.seed}, not {arguments.seed}: "
                "leave SEED out to go on with it, or give ARGS=--fresh to begin anew"
            )
        return found
    seed = random.randrange(1 << 31) if arguments.seed is None else arguments.seed
    return Record(seed=seed, rate=arguments.rate)


async def _soak(record: Record, arguments: argparse.Namespace, console: Console) -> None:
    """Period after period, until all blows have fallen or one period breaks an invariant."""
    record.worlds += 1

    def tell(one: Blow) -> None:
        if console.is_terminal:
            console.print(f"  blow {one.number}: {' and '.join(one.targets)}")

    async with running_world("plain", rate=record.rate, seed=record.seed, keep=arguments.keep) as world:
        while blows := period(record.seed, record.blows, arguments.kills):
            record.periods.append(await run_period(world, blows, record.worlds, tell))
            save(record, arguments.state)
            _tell_period(record, console)
            if record.broken:
                raise TapewatchError(f"stopped at a broken invariant: {record.broken[0]}")
        if arguments.calm_minutes:
            console.print(f"calm for {arguments.calm_minutes:g} minutes after the warm-up")
            record.calm = await run_calm(world, arguments.calm_minutes)
            save(record, arguments.state)


def _tell_period(record: Record, console: Console) -> None:
    one = record.periods[-1]
    caught_up = "never" if one.caught_up_s is None else f"{one.caught_up_s:.1f} s"
    console.print(
        f"{record.blows:5} blows  {one.published:,} messages in {one.seconds:.0f} s  lost {one.lost}  "
        f"doubled {one.doubled}  out of order {one.out_of_order}  wrong {one.wrong}  in gaps {one.in_gaps}  "
        f"caught up {caught_up}  restarts {one.restarts}  largest {max(one.memory_mb.values(), default=0):.0f} MB"
    )
    for text in one.broken:
        console.print(f"      {text}", style="bold red")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=FULL, help="blows in all; each kills one process or two")
    parser.add_argument(
        "--calm-minutes", type=float, default=10.0, help="how long nobody is killed after the last blow; 0: no calm"
    )
    parser.add_argument("--seed", type=int, help="of a new soak; drawn and printed if absent")
    parser.add_argument("--rate", type=float, default=2_000.0, help="messages a second of a new soak")
    parser.add_argument("--state", type=Path, default=Path(".soak.json"), help="where an interrupted soak goes on from")
    parser.add_argument("--fresh", action="store_true", help="begin anew, whatever the record says")
    parser.add_argument("--document", action="store_true", help=f"write {_DOCUMENT} after fewer blows as well")
    parser.add_argument("--keep", action="store_true", help="keep data and logs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
