-- When the newest stored trade of these instruments was traded, in microseconds; null where there is none.
SELECT (extract(epoch FROM max(newest.close_traded_at)) * 1000000)::bigint
FROM unnest($1::int[]) AS m (instrument_id)
CROSS JOIN LATERAL (
    SELECT c.close_traded_at FROM candle_1m c WHERE c.instrument_id = m.instrument_id ORDER BY c.opened_at DESC LIMIT 1
) AS newest
