"""Looks at every part a few times a second and keeps the picture up to date."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic

import msgspec

from services.cli.demo.picture import Picture, PriceRow, ServiceRow
from services.cli.demo.sampling import LatencySampler
from services.cli.demo.services import LIVE, SINKS, journal
from services.cli.demo.simulated import last_line
from services.cli.demo.stage import Stage
from services.cli.demo.supervision import count_restarts, cpu_seconds, ends, resident_mb
from services.cli.stores import TOPICS_OF_SINK, Progress
from services.reconcile.latency import JournalLine
from shared.clock import now_us
from shared.errors import WrongUse
from shared.events import Alert
from shared.topics import ORDERBOOKS, TICKERS, TRADES

_EVERY_S = 0.4
_TOPIC_OF_CHANNEL = {"trade": TRADES, "ticker": TICKERS, "orderbook": ORDERBOOKS}
_SAMPLED_TRADES = 20
_PRICES_SHOWN = 8
_KNOWN_AFTER_S = 3.0
"""So long after the opening the busiest symbols are known, where nobody could tell them before."""

OnAlert = Callable[[Alert], None]


class JournalTail:
    """New lines of a file that grows, whole ones only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0
        self._decoder = msgspec.json.Decoder(JournalLine)

    def lines(self) -> list[JournalLine]:
        """What was added since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read_bytes += len(whole) + len(newline)
        return [self._decoder.decode(line) for line in whole.splitlines()]


class Monitor:
    """`run` goes on until cancelled; `once` looks at everything one time."""

    def __init__(self, stage: Stage, picture: Picture, on_alert: OnAlert) -> None:
        self._stage = stage
        self._picture = picture
        self._on_alert = on_alert
        self._journals = [JournalTail(journal(stage.directory, sink)) for sink in SINKS]
        self._sampler = LatencySampler()
        self._cpu: dict[int, tuple[float, float]] = {}
        self._market_since_s: float | None = None
        self._looked = asyncio.Event()
        self.progress: Progress | None = None
        picture.services = [ServiceRow(name) for name in stage.supervisor.names]
        picture.prices = [PriceRow(*symbol) for symbol in _shown(stage.wanted.traded)]

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await self.once()
            self._looked.set()
            self._looked.clear()
            await asyncio.sleep(_EVERY_S)

    async def looked(self) -> None:
        """Wait until everything was looked at anew, from start to end."""
        for _ in range(2):  # the look that is under way may have begun before something changed
            await self._looked.wait()

    async def once(self) -> None:
        """Look at everything, each part on its own, so that a slow one does not hold up the others."""
        async with asyncio.TaskGroup() as group:
            for look in (self._services, self._stream, self._alerts, self._prices):
                group.create_task(look())

    def market_opens(self) -> None:
        """Count seconds from now."""
        self._market_since_s = monotonic()

    def market_stops(self) -> None:
        """Count no further."""
        self._market_since_s = None

    async def _services(self) -> None:
        processes = await self._stage.supervisor.processes()
        said = self._stage.supervisor.said()
        restarts = count_restarts(said, self._stage.supervisor.names)
        for row, process in zip(self._picture.services, processes, strict=True):
            row.state, row.pid, row.restarts = process.state, process.pid, restarts[row.name]
            row.memory_mb = resident_mb(process.pid) or 0.0 if process.pid else 0.0
            row.peak_mb = max(row.peak_mb, row.memory_mb)
            row.cpu_pct = self._cpu_pct(process.pid)
        for name, how in ends(said):
            if how == f"exit status {WrongUse.exit_code}":  # it would be started again for ever
                raise WrongUse(last_line(self._stage.directory / f"{name}.log"))

    def _cpu_pct(self, pid: int) -> float:
        used_s, now_s = cpu_seconds(pid) if pid else None, monotonic()
        if used_s is None:
            return 0.0
        before_s, at_s = self._cpu.get(pid, (used_s, now_s - 1))
        self._cpu[pid] = (used_s, now_s)
        return 100 * (used_s - before_s) / (now_s - at_s)

    async def _stream(self) -> None:
        """Downstream first, so that nothing seems to have been stored before it was published."""
        await self._flows()
        await self._market()

    async def _market(self) -> None:
        status, now_s = await self._stage.simulated.status(), monotonic()
        is_live = self._stage.wanted is LIVE
        for channel, flow in self._picture.flows.items():
            count = flow.in_kafka.count if is_live else status["published"].get(channel, 0)
            flow.published.add(now_s, count)  # what real exchanges publish is known only as far as we received it
        self._picture.slack = status["slack"]
        if self._market_since_s is not None:
            self._picture.market_s = now_s - self._market_since_s

    async def _flows(self) -> None:
        self.progress = progress = await self._stage.stores.progress()
        now_s = monotonic()
        for channel, flow in self._picture.flows.items():
            topic = _TOPIC_OF_CHANNEL[channel]
            flow.in_kafka.add(now_s, progress.held(topic))
            for sink, topics in TOPICS_OF_SINK.items():
                if topic in topics:
                    flow.behind[sink] = progress.behind(sink, topic)

    async def _alerts(self) -> None:
        alerts, receipts = await self._stage.stores.news()
        for alert in self._picture.add_alerts(alerts):
            self._on_alert(alert)
        self._picture.add_receipts(receipts)

    async def _prices(self) -> None:
        if not self._picture.prices and self._picture.market_s > _KNOWN_AFTER_S:
            self._picture.prices = [PriceRow(*symbol) for symbol in _shown(await self._stage.stores.busiest())]
        rows = self._picture.prices
        found = await self._stage.stores.newest_trades([(row.exchange, row.symbol) for row in rows], _SAMPLED_TRADES)
        for row, trades in zip(rows, found, strict=True):
            for trade in trades:
                self._sampler.add_trade(trade.partition, trade.offset, trade.received_at_us)
            if trades:
                row.add(monotonic(), trades[0].price)
        for tail in self._journals:
            self._sampler.add_batches(tail.lines())
        self._picture.latency = self._sampler.figures(now_us())


def _shown(symbols: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The first symbols of each exchange, taking turns."""
    of_exchange: dict[str, list[tuple[str, str]]] = {}
    for symbol in dict.fromkeys(symbols):
        of_exchange.setdefault(symbol[0], []).append(symbol)
    each = _PRICES_SHOWN // max(1, len(of_exchange))
    return [symbol for found in of_exchange.values() for symbol in found[:each]]
