-- Of each market from its newest trade on; the end is set by the new log's first one, which never comes of one that is
-- gone: what is missing was in the old log, so not later than now.
INSERT INTO gap (gap_id, exchange, channel, symbols, from_at, to_at, reason, noticed_at)
SELECT
    concat_ws(' ', 'anew', $1::text, $2::text, i.exchange, i.symbol),
    i.exchange,
    'trade',
    ARRAY[i.symbol],
    least(newest.close_traded_at, now()),
    CASE WHEN i.status = 'gone' THEN now() END,
    'consumer-postgres: ' || $1::text || ' was made anew: trades may be missing between the newest one stored before '
        'and the first one of the new log',
    now()
FROM instrument i
CROSS JOIN LATERAL (
    SELECT c.close_traded_at FROM candle_1m c WHERE c.instrument_id = i.id ORDER BY c.opened_at DESC LIMIT 1
) AS newest
WHERE i.id = ANY ($3::int[])
ON CONFLICT (gap_id) DO NOTHING
