"""``python -m tests.faults``: every fault strikes the whole product; one table; exit status 1 if an invariant broke.

python -m tests.faults --only F13,redis-emptied   # some, by code or name
python -m tests.faults --resume --document        # what has no good result yet; then docs/FAULTS.md anew
"""

import argparse
import asyncio
import logging
import random
import sys
import traceback
from pathlib import Path

from rich.console import Console

from shared.errors import TapewatchError
from tests.faults.catalogue import FAULTS
from tests.faults.code_state import code_state
from tests.faults.fault import Fault
from tests.faults.harness import strike_all, struck_world
from tests.faults.ledger import Outcome
from tests.faults.plan import UnknownFault, choose, plan
from tests.faults.record import Row, append, load, not_struck
from tests.faults.table import cells, complaints, draw, page

_WIDTH = 140
_FAULTS_A_WORLD = 12
"""Each count goes through everything since its world began: many faults in one would take ever longer."""
_DOCUMENT = Path("docs/FAULTS.md")


def main() -> int:
    """Run what the arguments ask for; the exit status."""
    arguments = _parse()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    only = [name for name in arguments.only.split(",") if name]
    try:
        faults = choose(FAULTS, only, quick=arguments.quick)
    except UnknownFault as error:
        print(f"tests.faults: {error}", file=sys.stderr)
        return 2
    if arguments.list:
        for fault in faults:
            console.print(f"{fault.code:4} {fault.name:32} {fault.says} ({fault.stage})", soft_wrap=True)
        return 0
    logging.basicConfig(level=logging.CRITICAL)  # our own clients complain while their servers are away
    known = load(arguments.state, FAULTS) if arguments.resume else {}
    held = [row for fault in faults if (row := known.get(fault.name)) and not row.broken]
    faults = [fault for fault in faults if fault.name not in {row.name for row in held}]
    seed = random.randrange(1 << 31) if arguments.seed is None else arguments.seed
    console.print(f"seed {seed}: {len(faults)} faults at {arguments.rate:.0f} messages/s; results in {arguments.state}")
    rows = held
    try:
        asyncio.run(_strike(arguments, faults, seed, console, rows))
    finally:
        console.print(draw(rows))  # whatever ends a run, what it found is shown
    if arguments.document:
        _DOCUMENT.write_text(page(FAULTS, load(arguments.state, FAULTS)), encoding="utf-8")
        console.print(f"written: {_DOCUMENT}")
    return 1 if any(row.broken for row in rows) else 0


async def _strike(
    arguments: argparse.Namespace, faults: list[Fault], seed: int, console: Console, rows: list[Row]
) -> None:
    """Add a row for each fault. A world that cannot be made, or that stands still, costs its own faults alone."""
    commit = code_state()

    def tell(outcome: Outcome) -> None:
        rows.append(row := Row.of(outcome, seed, commit))
        append(arguments.state, [row])
        console.print("  ".join(cells(row)), *complaints([row]), sep="\n    ", soft_wrap=True)

    for stage, planned in plan(faults, seed).items():
        for first in range(0, len(planned), _FAULTS_A_WORLD):
            is_made, here, told = False, planned[first : first + _FAULTS_A_WORLD], len(rows)
            try:
                async with struck_world(
                    stage, rate=arguments.rate, seed=seed, patience=arguments.patience, keep=arguments.keep
                ) as strikes:
                    is_made = True
                    await strike_all(strikes, here, tell)
            except (TapewatchError, TimeoutError) as error:
                traceback.print_exception(error)
                missing = not_struck([one.fault for one in here[len(rows) - told :]], seed, error, commit)
                append(arguments.state, missing[: int(is_made)])  # the others keep the last result that they had
                rows += missing


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, help="repeats a run; drawn and printed if absent")
    parser.add_argument("--only", default="", help="codes or names, joined by commas, e.g. F13,redis-emptied")
    parser.add_argument("--quick", action="store_true", help="only those that `make test` and `make test-long` run")
    parser.add_argument("--rate", type=float, default=700.0, help="messages a second of the simulated exchanges")
    parser.add_argument("--patience", type=float, default=1.0, help="stretches the time bounds on a busy machine")
    parser.add_argument("--keep", action="store_true", help="keep data and logs")
    parser.add_argument("--list", action="store_true", help="print the faults and end")
    parser.add_argument("--state", type=Path, default=Path(".faults.jsonl"), help="where each result is written down")
    parser.add_argument("--resume", action="store_true", help="only faults that have no good result there")
    parser.add_argument("--document", action="store_true", help=f"write {_DOCUMENT} with the last result of each")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
