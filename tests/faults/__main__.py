"""``python -m tests.faults``: every fault strikes the whole product; one table; exit status 1 if an invariant broke."""

import argparse
import asyncio
import logging
import random
import sys

from rich.console import Console

from tests.faults.catalogue import FAULTS
from tests.faults.fault import Fault
from tests.faults.harness import strike_all, struck_world
from tests.faults.ledger import Outcome
from tests.faults.plan import UnknownFault, choose, plan
from tests.faults.table import cells, complaints, draw

_WIDTH = 140


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
    seed = random.randrange(1 << 31) if arguments.seed is None else arguments.seed
    console.print(f"seed {seed}: {len(faults)} faults at {arguments.rate:.0f} messages/s")
    outcomes = asyncio.run(_strike(arguments, faults, seed, console))
    console.print(draw(outcomes, seed))
    return 1 if any(outcome.broken for outcome in outcomes) else 0


async def _strike(arguments: argparse.Namespace, faults: list[Fault], seed: int, console: Console) -> list[Outcome]:
    def tell(outcome: Outcome) -> None:
        console.print("  ".join(cells(outcome)), *complaints([outcome]), sep="\n    ", soft_wrap=True)

    outcomes = []
    for stage, planned in plan(faults, seed).items():
        async with struck_world(
            stage, rate=arguments.rate, seed=seed, patience=arguments.patience, keep=arguments.keep
        ) as strikes:
            outcomes += await strike_all(strikes, planned, tell)
    return outcomes


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeats a run; drawn and printed if absent")
    parser.add_argument("--only", default="", help="codes or names, joined by commas, e.g. F13,redis-emptied")
    parser.add_argument("--quick", action="store_true", help="only those that `make test` and `make test-long` run")
    parser.add_argument("--rate", type=float, default=700.0, help="messages a second of the simulated exchanges")
    parser.add_argument("--patience", type=float, default=1.0, help="stretches the time bounds on a busy machine")
    parser.add_argument("--keep", action="store_true", help="keep data and logs")
    parser.add_argument("--list", action="store_true", help="print the faults and end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
