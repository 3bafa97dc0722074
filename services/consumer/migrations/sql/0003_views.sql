CREATE VIEW trade_tape AS
SELECT
    i.exchange,
    i.symbol,
    t.trade_id::text AS trade_id,
    t.price,
    t.quantity,
    t.side,
    t.traded_at,
    t.received_at,
    t.origin
FROM trade t
JOIN instrument i ON i.id = t.instrument_id;

-- Candles of UTC hours and days, aligned to midnight.
DO $$
DECLARE
    name text;
    width text;
BEGIN
    FOR name, width IN
        VALUES ('5m', '5 minutes'), ('15m', '15 minutes'), ('1h', '1 hour'), ('4h', '4 hours'), ('1d', '1 day')
    LOOP
        EXECUTE format(
            $view$
            CREATE VIEW %I AS
            SELECT
                i.exchange,
                i.symbol,
                date_bin(%L, c.opened_at, timestamptz 'epoch') AS opened_at,
                (array_agg(c.open ORDER BY c.opened_at))[1] AS open,
                max(c.high) AS high,
                min(c.low) AS low,
                (array_agg(c.close ORDER BY c.opened_at DESC))[1] AS close,
                sum(c.volume) AS volume,
                sum(c.turnover) AS turnover,
                sum(c.trades) AS trades
            FROM candle_1m c
            JOIN instrument i ON i.id = c.instrument_id
            GROUP BY i.exchange, i.symbol, date_bin(%L, c.opened_at, timestamptz 'epoch')
            $view$,
            'candle_' || name, width::interval, width::interval
        );
    END LOOP;
END $$;

CREATE VIEW market_stats_24h AS
SELECT
    i.exchange,
    i.symbol,
    i.base,
    i.quote,
    (array_agg(c.open ORDER BY c.opened_at))[1] AS open,
    max(c.high) AS high,
    min(c.low) AS low,
    (array_agg(c.close ORDER BY c.opened_at DESC))[1] AS price,
    sum(c.volume) AS volume,
    sum(c.turnover) AS turnover,
    sum(c.trades) AS trades,
    max(c.close_traded_at) AS traded_at
FROM candle_1m c
JOIN instrument i ON i.id = c.instrument_id
WHERE c.opened_at > now() - interval '24 hours'
GROUP BY i.exchange, i.symbol, i.base, i.quote;
