-- Trades in their order, not stored yet, of markets whose rows have no end: what each of these rows is now, if anything
-- changed. No trade of $1… is backfill: one of yesterday may come at any time and says nothing of where the log begins.
WITH coming AS MATERIALIZED (
    SELECT
        c.nth,
        c.instrument_id,
        c.trade_id,
        timestamptz 'epoch' + c.traded_at_us * interval '1 microsecond' AS traded_at,
        timestamptz 'epoch' + c.received_at_us * interval '1 microsecond' AS received_at
    FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[])
        WITH ORDINALITY AS c (instrument_id, trade_id, traded_at_us, received_at_us, nth)
),
first AS MATERIALIZED (
    SELECT DISTINCT ON (instrument_id) instrument_id, traded_at, received_at FROM coming ORDER BY instrument_id, nth
),
-- Where the row begins was read of the new log, before that was known to be another one, when it was received after the
-- new log's first trade: producers publish in the order of receipt. Then the row begins at what was stored before that.
begun AS MATERIALIZED (
    SELECT
        g.gap_id,
        f.instrument_id,
        g.from_at AS from_at_before,
        CASE
            WHEN g.from_at >= f.traded_at AND EXISTS (
                SELECT FROM trade t
                WHERE t.instrument_id = f.instrument_id AND t.traded_at = g.from_at AND t.received_at > f.received_at
            ) THEN (
                SELECT max(t.traded_at)
                FROM (
                    SELECT c.opened_at
                    FROM candle_1m c
                    WHERE c.instrument_id = f.instrument_id
                        AND c.opened_at <= f.traded_at
                        AND c.open_traded_at < f.traded_at
                    ORDER BY c.opened_at DESC
                    LIMIT 1
                ) AS minute
                JOIN trade t
                    ON t.instrument_id = f.instrument_id
                    AND t.traded_at >= minute.opened_at
                    AND t.traded_at < minute.opened_at + interval '1 minute'
                    AND t.traded_at < f.traded_at
            )
            ELSE g.from_at
        END AS from_at
    FROM first f
    JOIN instrument i ON i.id = f.instrument_id
    JOIN gap g ON g.exchange = i.exchange AND g.symbols = ARRAY[i.symbol]
    WHERE g.status = 'open' AND g.to_at IS NULL AND g.gap_id LIKE 'anew %'
),
-- A live trade may come late; one that is older than where the row begins is no end of it.
found AS (
    SELECT
        b.gap_id,
        b.from_at_before,
        b.from_at,
        (
            SELECT c.traded_at
            FROM coming c
            WHERE c.instrument_id = b.instrument_id
                AND (b.from_at IS NULL OR c.traded_at >= b.from_at)
                AND NOT EXISTS (
                    SELECT FROM trade t
                    WHERE t.instrument_id = c.instrument_id AND t.trade_id = c.trade_id AND t.traded_at = c.traded_at
                )
            ORDER BY c.nth
            LIMIT 1
        ) AS to_at
    FROM begun b
)
SELECT gap_id, from_at, to_at FROM found WHERE to_at IS NOT NULL OR from_at IS DISTINCT FROM from_at_before
