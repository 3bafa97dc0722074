-- The minutes in which these markets sent no ticker get their last one, with its own times.
INSERT INTO ticker_1m (instrument_id, opened_at, price, bid_price, ask_price, event_at, received_at)
SELECT w.instrument_id, missing.opened_at, last.price, last.bid_price, last.ask_price, last.event_at, last.received_at
FROM unnest($1::int[], $2::bigint[], $3::bigint[]) AS w (instrument_id, from_minute, to_minute)
CROSS JOIN LATERAL generate_series(
    timestamptz 'epoch' + w.from_minute * interval '1 minute',
    timestamptz 'epoch' + (w.to_minute - 1) * interval '1 minute',
    interval '1 minute'
) AS missing (opened_at)
CROSS JOIN LATERAL (
    SELECT *
    FROM ticker_1m t
    WHERE t.instrument_id = w.instrument_id AND t.opened_at <= missing.opened_at
        AND t.opened_at > missing.opened_at - interval '1 day'
    ORDER BY t.opened_at DESC
    LIMIT 1
) AS last
WHERE last.opened_at < missing.opened_at AND last.event_at > missing.opened_at - interval '1 day'
ORDER BY 1, 2
ON CONFLICT DO NOTHING
