-- How far each topic is stored, by the time of its newest event.
SELECT
    (SELECT close_traded_at FROM candle_1m ORDER BY opened_at DESC LIMIT 1) AS trades,
    (
        SELECT max(newest.event_at)
        FROM instrument i
        CROSS JOIN LATERAL (
            SELECT t.event_at FROM ticker_1m t WHERE t.instrument_id = i.id ORDER BY t.opened_at DESC LIMIT 1
        ) AS newest
    ) AS tickers,
    (SELECT max(updated_at) FROM instrument) AS instruments,
    (SELECT max(noticed_at) FROM gap) AS feed,
    (SELECT max(decided_at) FROM alert) AS alerts,
    (SELECT max(at) FROM dead_letter) AS dead_letters
