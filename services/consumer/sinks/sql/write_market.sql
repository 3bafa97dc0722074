-- One batch of trades and tickers with its positions, all of it or nothing, in one round trip.
-- Nothing but the count of moved positions comes back when one of them is not where the caller believes.
WITH wanted AS (
    SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS w (topic, partition, expected, next)
),
-- Locked first and in ascending order, before any row is written: two copies of a sink cannot deadlock.
held AS MATERIALIZED (
    SELECT p.topic, p.partition, w.next
    FROM sink_position p
    JOIN wanted w ON w.topic = p.topic AND w.partition = p.partition
    WHERE p.next_offset IS NOT DISTINCT FROM w.expected AND p.owner = $5::text
    ORDER BY p.topic, p.partition
    FOR UPDATE OF p
),
moved AS (
    UPDATE sink_position p
    SET
        next_offset = h.next,
        moved_at = now(),
        -- Counted once a batch, where its first slice lies.
        batches = p.batches + ((p.topic, p.partition) = (($1::text[])[1], ($2::int[])[1]))::int
    FROM held h
    WHERE p.topic = h.topic AND p.partition = h.partition
        AND (SELECT count(*) FROM held) = cardinality($1::text[])
    RETURNING 1
),
inserted AS (
    INSERT INTO trade (instrument_id, trade_id, traded_at, received_at, price, quantity, side, origin)
    SELECT
        t.instrument_id,
        t.trade_id,
        timestamptz 'epoch' + t.traded_at_us * interval '1 microsecond',
        timestamptz 'epoch' + t.received_at_us * interval '1 microsecond',
        t.price,
        t.quantity,
        t.side,
        t.origin
    -- Arrays in their spelling, for the sake of the one who sends them.
    FROM unnest(
        $6::text::int[], $7::text::bigint[], $8::text::bigint[], $9::text::bigint[],
        $10::text::numeric[], $11::text::numeric[], $12::text::text[], $13::text::text[]
    ) AS t (instrument_id, trade_id, traded_at_us, received_at_us, price, quantity, side, origin)
    WHERE (SELECT count(*) FROM moved) = cardinality($1::text[])
    -- No target: the key is each day's own.
    ON CONFLICT DO NOTHING
    RETURNING instrument_id, trade_id, traded_at, price, quantity
),
ordered AS (
    SELECT
        *,
        date_trunc('minute', traded_at) AS opened_at,
        row_number() OVER trades = 1 AS is_first,
        lead(trade_id) OVER trades IS NULL AS is_last
    FROM inserted
    WINDOW trades AS (PARTITION BY instrument_id, date_trunc('minute', traded_at) ORDER BY traded_at, trade_id)
),
candles AS (
    INSERT INTO candle_1m AS c (
        instrument_id, opened_at, open, high, low, close, volume, turnover, trades,
        open_traded_at, open_trade_id, close_traded_at, close_trade_id
    )
    SELECT
        instrument_id,
        opened_at,
        max(price) FILTER (WHERE is_first),
        max(price),
        min(price),
        max(price) FILTER (WHERE is_last),
        sum(quantity),
        sum(price * quantity),
        count(*),
        min(traded_at),
        max(trade_id) FILTER (WHERE is_first),
        max(traded_at),
        max(trade_id) FILTER (WHERE is_last)
    FROM ordered
    GROUP BY instrument_id, opened_at
    ORDER BY instrument_id, opened_at
    ON CONFLICT (instrument_id, opened_at) DO UPDATE SET
        (open, open_traded_at, open_trade_id) = (
            SELECT e.open, e.open_traded_at, e.open_trade_id
            FROM (VALUES
                (c.open, c.open_traded_at, c.open_trade_id),
                (excluded.open, excluded.open_traded_at, excluded.open_trade_id)
            ) AS e (open, open_traded_at, open_trade_id)
            ORDER BY e.open_traded_at, e.open_trade_id
            LIMIT 1
        ),
        (close, close_traded_at, close_trade_id) = (
            SELECT e.close, e.close_traded_at, e.close_trade_id
            FROM (VALUES
                (c.close, c.close_traded_at, c.close_trade_id),
                (excluded.close, excluded.close_traded_at, excluded.close_trade_id)
            ) AS e (close, close_traded_at, close_trade_id)
            ORDER BY e.close_traded_at DESC, e.close_trade_id DESC
            LIMIT 1
        ),
        high = greatest(c.high, excluded.high),
        low = least(c.low, excluded.low),
        volume = c.volume + excluded.volume,
        turnover = c.turnover + excluded.turnover,
        trades = c.trades + excluded.trades
),
tickers AS (
    INSERT INTO ticker_1m AS m (instrument_id, opened_at, price, bid_price, ask_price, event_at, received_at)
    SELECT
        t.instrument_id,
        date_trunc('minute', timestamptz 'epoch' + t.event_at_us * interval '1 microsecond'),
        t.price::numeric,
        t.bid_price::numeric,
        t.ask_price::numeric,
        timestamptz 'epoch' + t.event_at_us * interval '1 microsecond',
        timestamptz 'epoch' + t.received_at_us * interval '1 microsecond'
    FROM unnest($14::int[], $15::text[], $16::text[], $17::text[], $18::bigint[], $19::bigint[])
        AS t (instrument_id, price, bid_price, ask_price, event_at_us, received_at_us)
    WHERE (SELECT count(*) FROM moved) = cardinality($1::text[])
    ORDER BY 1, 2
    ON CONFLICT (instrument_id, opened_at) DO UPDATE SET
        price = excluded.price,
        bid_price = excluded.bid_price,
        ask_price = excluded.ask_price,
        event_at = excluded.event_at,
        received_at = excluded.received_at
    -- The newest wins, and of two of the same time the one that came later.
    WHERE excluded.event_at >= m.event_at
)
SELECT (SELECT count(*) FROM moved) AS moved, (SELECT count(*) FROM inserted) AS trades
