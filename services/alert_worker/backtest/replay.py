"""The very code that watches the live tape, over trades of another time."""

from collections import deque
from collections.abc import Iterable, Iterator

from services.alert_worker.backtest.series import Seen
from services.alert_worker.rules.ruleset import DEFAULTS, Ruleset
from services.alert_worker.watch import Watch
from shared.events import Alert, Candle, Trade

RUN_OUT_US = 1_000_000


def replay(
    trades: Iterable[Trade], seen: Seen, rules: Ruleset = DEFAULTS, candles: Iterable[Candle] = ()
) -> Iterator[Alert]:
    """Every alert that the trades, in the order of their arrival, would have raised; `seen` takes them in as well.

    `candles`, as they were on Kafka, say what was usual before, each from when it was there. At the end the clock runs
    on for a second, so that what was traded last is decided too.
    """
    watch, newest_us, told = Watch(rules=rules), 0, deque(candles)
    for offset, trade in enumerate(trades):
        while told and told[0].received_at_us <= trade.received_at_us:
            watch.hear(told.popleft(), 0)
        seen.add(trade)
        newest_us = max(newest_us, trade.received_at_us)
        for decided in watch.observe(trade, offset):
            yield decided.alert
    for decided in watch.run_on(newest_us + RUN_OUT_US):
        yield decided.alert
