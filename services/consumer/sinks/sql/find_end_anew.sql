-- Trades of one market in their order, not stored yet: how far the store reached before the first of them, and when the
-- first new one was traded; null while all of them are stored already.
WITH coming AS MATERIALIZED (
    SELECT c.nth, c.trade_id, timestamptz 'epoch' + c.traded_at_us * interval '1 microsecond' AS traded_at
    FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY AS c (trade_id, traded_at_us, nth)
),
first AS MATERIALIZED (SELECT traded_at FROM coming ORDER BY nth LIMIT 1),
minute AS MATERIALIZED (
    SELECT c.opened_at
    FROM candle_1m c
    WHERE c.instrument_id = $1 AND c.open_traded_at < (SELECT traded_at FROM first)
        AND c.opened_at <= (SELECT traded_at FROM first)
    ORDER BY c.opened_at DESC
    LIMIT 1
)
SELECT
    (SELECT traded_at FROM first) AS first_at,
    (
        SELECT max(t.traded_at)
        FROM trade t
        WHERE t.instrument_id = $1
            AND t.traded_at >= (SELECT opened_at FROM minute)
            AND t.traded_at < (SELECT opened_at + interval '1 minute' FROM minute)
            AND t.traded_at < (SELECT traded_at FROM first)
    ) AS before_at,
    (
        SELECT c.traded_at
        FROM coming c
        WHERE NOT EXISTS (
            SELECT FROM trade t
            WHERE t.instrument_id = $1 AND t.trade_id = c.trade_id AND t.traded_at = c.traded_at
        )
        ORDER BY c.nth
        LIMIT 1
    ) AS to_at
