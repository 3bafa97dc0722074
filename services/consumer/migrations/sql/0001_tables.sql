CREATE TABLE instrument (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    exchange text NOT NULL,
    symbol text NOT NULL,
    base text NOT NULL,
    quote text NOT NULL,
    korean_name text,
    english_name text,
    status text NOT NULL DEFAULT 'trading' CHECK (status IN ('trading', 'halted', 'gone')),
    warning boolean NOT NULL DEFAULT false,
    cautions text[] NOT NULL DEFAULT '{}',
    updated_at timestamptz,
    UNIQUE (exchange, symbol)
);
COMMENT ON COLUMN instrument.updated_at IS 'When the exchange''s list said so; null: known from its trades alone.';

-- One partition a UTC day, made by make_trade_day. The unique key is each day's own and does not include the time,
-- which a key of the whole table would have to: with the time in it the same trade gets in twice. Inserts therefore
-- say ON CONFLICT DO NOTHING without a target. There is no default partition: it would block the making of its days.
CREATE TABLE trade (
    trade_id bigint NOT NULL,
    traded_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    instrument_id int NOT NULL,
    price numeric NOT NULL,
    quantity numeric NOT NULL,
    side text NOT NULL,
    origin text NOT NULL
) PARTITION BY RANGE (traded_at);
-- Rows lie in the order of their arrival, near enough to time: a small index finds the last minutes of a day.
CREATE INDEX trade_traded_at ON trade USING brin (traded_at) WITH (pages_per_range = 32, autosummarize = on);
COMMENT ON COLUMN trade.side IS 'The taker''s: buy or sell.';
COMMENT ON COLUMN trade.origin IS 'stream, or backfill when it was fetched later.';

-- (open_traded_at, open_trade_id) and its like of the close say which trade they came from, so that late, backfilled
-- and equally timed trades correct them.
CREATE TABLE candle_1m (
    instrument_id int NOT NULL,
    opened_at timestamptz NOT NULL,
    open numeric NOT NULL,
    high numeric NOT NULL,
    low numeric NOT NULL,
    close numeric NOT NULL,
    volume numeric NOT NULL,
    turnover numeric NOT NULL,
    trades bigint NOT NULL,
    open_traded_at timestamptz NOT NULL,
    open_trade_id bigint NOT NULL,
    close_traded_at timestamptz NOT NULL,
    close_trade_id bigint NOT NULL,
    PRIMARY KEY (instrument_id, opened_at)
) WITH (fillfactor = 80);
CREATE INDEX candle_1m_opened_at ON candle_1m (opened_at);

CREATE TABLE ticker_1m (
    instrument_id int NOT NULL,
    opened_at timestamptz NOT NULL,
    price numeric NOT NULL,
    bid_price numeric,
    ask_price numeric,
    event_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (instrument_id, opened_at)
) WITH (fillfactor = 80);
COMMENT ON TABLE ticker_1m IS 'The newest ticker of each minute: what was shown at its end.';

CREATE TABLE alert (
    alert_id text PRIMARY KEY,
    episode_id text NOT NULL,
    state text NOT NULL,
    kind text NOT NULL,
    detectors text[] NOT NULL,
    scope text NOT NULL,
    direction text NOT NULL,
    severity text NOT NULL,
    started_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    rule_version text NOT NULL,
    exchange text,
    symbol text,
    base text,
    quote text,
    event_at timestamptz,
    received_at timestamptz,
    price_before numeric,
    price_now numeric,
    price_extreme numeric,
    change_pct numeric,
    window_s bigint,
    sigma numeric,
    volume_ratio numeric,
    divergence_pct numeric,
    data_quality text NOT NULL,
    members text[] NOT NULL
);
CREATE INDEX alert_episode_id ON alert (episode_id);
CREATE INDEX alert_decided_at ON alert (decided_at);

CREATE TABLE gap (
    gap_id text PRIMARY KEY,
    exchange text NOT NULL,
    channel text,
    symbols text[],
    connection text,
    from_at timestamptz,
    to_at timestamptz,
    first_missing_id text,
    last_missing_id text,
    reason text NOT NULL,
    noticed_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'closed')),
    closed_at timestamptz
);
CREATE INDEX gap_open ON gap (exchange, noticed_at) WHERE status = 'open';
COMMENT ON COLUMN gap.gap_id IS 'Of what the gap is about and where it begins: a gap that is told twice is one row.';
COMMENT ON COLUMN gap.symbols IS 'Null: every symbol of that connection.';
COMMENT ON COLUMN gap.to_at IS 'Null: not over yet.';
COMMENT ON COLUMN gap.status IS 'open until everything that was missing is here, or is known not to exist.';

CREATE TABLE completeness (
    instrument_id int NOT NULL,
    day date NOT NULL,
    trades bigint NOT NULL,
    missing bigint NOT NULL,
    method text NOT NULL,
    checked_at timestamptz NOT NULL,
    passed_at timestamptz,
    PRIMARY KEY (instrument_id, day)
);
COMMENT ON COLUMN completeness.passed_at IS 'When the day was found complete for this instrument; null: not yet.';
CREATE INDEX completeness_day ON completeness (day);

CREATE TABLE dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    reader text NOT NULL,
    topic text,
    partition bigint,
    "offset" bigint,
    schema text,
    exchange text,
    connection text,
    suppressed bigint NOT NULL,
    payload text NOT NULL,
    payload_bytes bigint NOT NULL
);
-- Null in a key column is never equal: letters from a feed, which have no coordinates in Kafka, are all kept.
CREATE UNIQUE INDEX dead_letter_coordinates ON dead_letter (topic, partition, "offset", reader);
CREATE INDEX dead_letter_at ON dead_letter (at);
COMMENT ON COLUMN dead_letter.payload IS 'Base64 of at most the first 64 KiB: decode(payload, ''base64'').';

CREATE TABLE watchlist (
    exchange text NOT NULL,
    symbol text NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now(),
    note text,
    PRIMARY KEY (exchange, symbol)
);

-- Where the sink goes on, moved in the transaction that stores the records before it. Small pages: every batch
-- updates its rows, and there is room beside them.
CREATE TABLE sink_position (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint,
    generation int NOT NULL DEFAULT 1,
    topic_id text NOT NULL,
    owner text NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 20);
COMMENT ON COLUMN sink_position.next_offset IS 'Null: from the start of the log.';
COMMENT ON COLUMN sink_position.generation IS 'Raised when the topic is not the one that it was.';
COMMENT ON COLUMN sink_position.owner IS 'The process that may move this position.';
