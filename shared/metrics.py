"""Every counter by name, in one typed list: a misspelt metric fails the type checker instead of a dashboard.

A service moves them; the endpoint on loopback shows them when METRICS__PORT is set.
"""

from prometheus_client import Counter, Gauge, Histogram

FRAMES = Counter("tapewatch_frames_received_total", "WebSocket frames received", ["exchange"])
EVENTS_PUBLISHED = Counter("tapewatch_events_published_total", "Records acknowledged by Kafka", ["topic"])
EVENTS_CONFLATED = Counter(
    "tapewatch_events_conflated_total",
    "Tickers and books given up for newer ones of their symbol",
    ["channel"],
)
TRADES_DROPPED = Counter(
    "tapewatch_trades_dropped_total", "Trades given up at the bound, each told by a gap", ["exchange"]
)
INVALID_FRAMES = Counter("tapewatch_invalid_frames_total", "Frames that no adapter could read", ["exchange"])
CONNECTIONS_LOST = Counter(
    "tapewatch_connections_lost_total", "WebSocket connections that ended", ["exchange", "reason"]
)
CANDLE_REQUESTS = Counter(
    "tapewatch_candle_requests_total",
    "Answers of an exchange to our asking for candles, by outcome",
    ["exchange", "outcome"],
)
LISTS = Counter(
    "tapewatch_market_lists_total", "The exchange's list asked for while running, by outcome", ["exchange", "outcome"]
)
SILENT_SYMBOLS = Counter(
    "tapewatch_silent_symbols_total",
    "Symbols whose silence the exchange was asked about, by its answer",
    ["exchange", "answer"],
)
GAPS = Counter("tapewatch_gaps_total", "Gap events written", ["exchange"])
RECORDS_REFUSED = Counter(
    "tapewatch_records_refused_total", "Records that Kafka takes in no form, so large are they", ["topic"]
)
KAFKA_CLIENTS_REPLACED = Counter("tapewatch_kafka_clients_replaced_total", "Kafka producers thrown away and made anew")

CANARY_RETURNED = Gauge(
    "tapewatch_canary_returned_timestamp_seconds", "When the test alert that goes round was last back from the notifier"
)
CANARY_DUE = Gauge(
    "tapewatch_canary_due_timestamp_seconds", "By when the test alert that goes round must be back; 0 where none does"
)
STILL = Gauge("tapewatch_still_seconds", "Time since the process last got on, or proved that nothing waits")
WAITS = Gauge(
    "tapewatch_waits_seconds", "Time since something last went all the way, or nothing waited: what it needs is away"
)

BATCHES_TRIED = Counter("tapewatch_batches_tried_total", "Batches given to the store", ["sink"])
FIRST_TRY = Gauge(
    "tapewatch_batches_first_try_ratio",
    "Share of all batches that the store acknowledged at the first try, by its own count over all restarts",
    ["sink"],
)
BATCHES_WRITTEN = Counter("tapewatch_batches_written_total", "Batches acknowledged by the store", ["sink"])
STORE_LATENCY = Histogram(
    "tapewatch_store_latency_seconds",
    "From the socket to the store's acknowledgement, of a batch's oldest event",
    ["sink"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0),
)
ROWS_WRITTEN = Counter("tapewatch_rows_written_total", "Events new to the store", ["sink", "topic"])
ROWS_REPEATED = Counter("tapewatch_rows_repeated_total", "Events that the store already held", ["sink", "topic"])
DEAD_LETTERS = Counter("tapewatch_dead_letters_total", "Records kept as dead letters", ["reader", "topic"])
LAG_RECORDS = Gauge("tapewatch_lag_records", "Records between position and log end", ["reader", "topic"])
LAG_RETENTION_RATIO = Gauge(
    "tapewatch_lag_retention_ratio",
    "Age of the oldest unread record as a share of what Kafka keeps; at 1 records are lost",
    ["reader", "topic"],
)
STANDBY = Gauge("tapewatch_standby", "1 while another copy owns this shard", ["reader"])

TRADES_IGNORED = Counter(
    "tapewatch_trades_ignored_total", "Trades not judged: a time far off the exchange's clock, or an absurd price"
)
PRICES_NOT_COMPARED = Counter(
    "tapewatch_prices_not_compared_total",
    "Times that a coin's prices on two exchanges were not compared, because one side's trades are read too slowly",
)
ALERTS = Counter("tapewatch_alerts_total", "Alert records published", ["state", "kind"])
ALERTS_SUPPRESSED = Counter("tapewatch_alerts_suppressed_total", "Alerts not told, by reason", ["reason"])
RULES_REFUSED = Gauge("tapewatch_rules_file_refused", "1 while the rules file is broken and the old rules are kept")
CHARTS = Counter("tapewatch_alert_charts_total", "Charts of alerts by outcome", ["outcome"])
SLACK_CALLS = Counter("tapewatch_slack_calls_total", "Calls to Slack by outcome", ["outcome"])
MESSAGES_SET_ASIDE = Counter(
    "tapewatch_messages_set_aside_total", "Messages of the watchdog that a way to people refused for good", ["way"]
)


def count_from_zero(*series: tuple[Counter, tuple[str, ...]]) -> None:
    """Show these series before they count: in one that appears with its first count Prometheus sees no increase."""
    for counter, labels in series:
        counter.labels(*labels)
