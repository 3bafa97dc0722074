"""From a trade received to the decision, and from there to Slack's answer, in ms. `python -m benchmarks.alert_latency`.

The real producer, both consumers and the alert worker with all servers on this machine's cores, under 5,000 trades a
second. One market after the other moves by 8 %, up and down in turn, in a market without a past. Slack is the simulated
one, which answers at once. Ends with 1 when fewer were told than moved.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.flooded import PRODUCER, Flood, flood
from benchmarks.rig import CONSUMERS, rig
from services.cli.demo.options import DemoOptions
from services.cli.demo.services import SIMULATED_BOT_TOKEN, Service
from services.cli.demo.simulated import Simulated
from services.reconcile.episodes import Episode, episodes
from services.reconcile.kafka_reader import read_alerts
from services.reconcile.latency import percentiles

RATE = 5_000
MOVE_EVERY_S = 12
"""Every second one the same way, so that no four of a minute are a story of the whole market."""

MOVES = 20
BARS_MS = {"received → decided (200 ms of it the lateness)": 400, "decided → in Slack": 500}
_ALERT_WORKER = Service("alert-worker", ("alert-worker",))


async def _measure(exchange: Flood, directory: Path) -> list[Episode]:
    slack = Simulated(directory)
    await slack.start(DemoOptions())
    told = {
        "TAPEWATCH_SLACK__API_URL": slack.addresses["slack_api_url"],
        "TAPEWATCH_SLACK__BOT_TOKEN": SIMULATED_BOT_TOKEN,
        "TAPEWATCH_SLACK__CHANNEL": "#tapewatch",
        "TAPEWATCH_ALERTS__GREETING": "false",
        "TAPEWATCH_ALERTS__DAILY_DIGEST": "false",
        "TAPEWATCH_ALERTS__CANARY_EVERY_S": "0",
    }
    try:
        async with rig((PRODUCER, *CONSUMERS, _ALERT_WORKER), **exchange.settings, **told) as one:
            await asyncio.sleep((MOVES + 2) * MOVE_EVERY_S)
            return episodes(*await read_alerts(one.settings.kafka, since_us=0))
    finally:
        await slack.close()


def _row(name: str, values_ms: Sequence[float]) -> tuple[list[str], bool]:
    found = percentiles([round(value * 1000) for value in values_ms])
    if found is None:
        raise AssertionError(f"nothing was measured: {name}")
    held = found.p99 <= BARS_MS[name]
    figures = f"{found.p50:.0f} / {found.p99:.0f} / {found.max:.0f}"
    return [name, str(len(values_ms)), figures, str(BARS_MS[name]), "held" if held else "missed"], held


def main() -> int:
    """Print the table; 1 when a bar is missed."""
    count = RATE * MOVE_EVERY_S * (MOVES + 3)
    with TemporaryDirectory() as name, flood(count, RATE, Path(name) / "truth", MOVE_EVERY_S) as exchange:
        found = asyncio.run(_measure(exchange, Path(name)))
    decided = [one.decision_ms for one in found if one.decision_ms is not None]
    in_slack = [one.slack_ms for one in found if one.slack_ms is not None]
    table = Table("", "alerts", "ms p50 / p99 / max", "bar of p99", "")
    held = []
    for text, values in zip(BARS_MS, (decided, in_slack), strict=True):
        cells, well = _row(text, values)
        held.append(well)
        table.add_row(*cells)
    Console(width=120).print(table)
    if len(in_slack) < MOVES:  # figures of some say nothing of all
        print(f"only {len(in_slack)} of {MOVES} moves were told", file=sys.stderr)
        return 1
    return int(not all(held))


if __name__ == "__main__":
    sys.exit(main())
