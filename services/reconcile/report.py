"""The report: one JSON object, the same from `tapewatch demo --report` and `tapewatch reconcile --json`."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any, Literal

from msgspec import Struct, field

from services.reconcile.candles import CandleCounts
from services.reconcile.compare import Counts
from services.reconcile.episodes import Episode
from services.reconcile.gaps import Gaps
from services.reconcile.latency import Percentiles
from services.reconcile.newest import Newest

Figures = dict[str, int]


class Report(Struct, kw_only=True):
    """Everything counted in one run; `faults` says in words why `ok` is false."""

    scenario: str | None = None
    truth: Literal["published", "received"] = "published"
    seconds: float
    ok: bool = False
    published: Figures
    unheard: Figures
    conflated: Figures
    kafka: dict[str, Figures]
    redis: dict[str, Figures]
    postgres: dict[str, Figures]
    gaps: Figures
    latency_ms: dict[str, dict[str, float]] = field(default_factory=dict)
    alerts: list[Episode] = field(default_factory=list)
    slack: Figures = field(default_factory=dict)
    restarts: Figures = field(default_factory=dict)
    memory_mb: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


class Compared(Struct, kw_only=True):
    """The counts of every store, by channel."""

    unheard: Figures
    conflated: Figures
    kafka: dict[str, Counts]
    redis_trades: Counts
    redis_newest: dict[str, Newest]
    postgres_trades: Counts
    candles: CandleCounts


# `kafka.….duplicated` is told and is no fault: Kafka may hold a trade twice, the stores hold it once.
_HARMLESS = {("kafka", "duplicated")}
_COUNTED = {"expected", "found"}


def build(
    seconds: float, published: Mapping[str, int], compared: Compared, gaps: Gaps, latency: Mapping[str, Percentiles]
) -> Report:
    """Put the counts into the report's form. Call `judge` when everything else is in it."""
    postgres_trades = asdict(compared.postgres_trades)
    del postgres_trades["out_of_order"]  # a table has no order
    return Report(
        seconds=round(seconds, 3),
        published=dict(published),
        unheard=compared.unheard,
        conflated=compared.conflated,
        kafka={channel: asdict(counts) for channel, counts in compared.kafka.items()},
        redis={
            "trade": asdict(compared.redis_trades),
            **{channel: asdict(newest) for channel, newest in compared.redis_newest.items()},
        },
        postgres={"trade": postgres_trades, "candle_1m": asdict(compared.candles)},
        gaps={"open": gaps.open, "closed": gaps.closed},
        latency_ms={sink: _rounded(figures) for sink, figures in latency.items()},
    )


def judge(report: Report, broken_promises: Iterable[str] = (), *, with_trades: bool = False) -> Report:
    """Fill in `faults` and `ok`. `broken_promises` are sentences about what a scenario should have brought.

    `with_trades`: the exchanges were to publish some; a recording may have none.
    """
    report.faults = [*_store_faults(report), *broken_promises]
    if not any(report.published.values()):
        report.faults.append("nothing was published, so nothing is proven")
    elif with_trades and not report.published.get("trade"):
        report.faults.append("no trade was published, so nothing is proven of trades")
    report.ok = not report.faults
    return report


def _store_faults(report: Report) -> Iterable[str]:
    for store, channels in (("kafka", report.kafka), ("redis", report.redis), ("postgres", report.postgres)):
        for channel, figures in channels.items():
            for name, figure in figures.items():
                if figure and name not in _COUNTED and (store, name) not in _HARMLESS:
                    yield f"{store}.{channel}.{name} = {figure}"


def _rounded(figures: Percentiles) -> dict[str, float]:
    return {name: round(value, 1) for name, value in figures._asdict().items()}


def plain(report: Report) -> dict[str, Any]:
    """The report as JSON's own types, fields in their order."""
    return {name: getattr(report, name) for name in report.__struct_fields__}
