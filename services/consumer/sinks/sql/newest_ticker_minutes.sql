-- The minute of each market's newest row; a ticker whose time is ahead of our clock says nothing about minutes.
SELECT i.exchange, i.symbol, (extract(epoch FROM newest.opened_at) / 60)::bigint AS minute
FROM instrument i
CROSS JOIN LATERAL (
    SELECT t.opened_at
    FROM ticker_1m t
    WHERE t.instrument_id = i.id AND t.event_at <= t.received_at + interval '1 minute'
    ORDER BY t.opened_at DESC
    LIMIT 1
) AS newest
