-- When the newest stored ticker of these instruments was made, in microseconds; null where there is none.
SELECT (extract(epoch FROM max(newest.event_at)) * 1000000)::bigint
FROM unnest($1::int[]) AS m (instrument_id)
CROSS JOIN LATERAL (
    SELECT t.event_at FROM ticker_1m t WHERE t.instrument_id = m.instrument_id ORDER BY t.opened_at DESC LIMIT 1
) AS newest
