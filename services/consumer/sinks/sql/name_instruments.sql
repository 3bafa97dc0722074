-- Instruments that are known from their trades or tickers before the exchange's list told of them.
INSERT INTO instrument (exchange, symbol, base, quote)
SELECT w.exchange, w.symbol, w.base, w.quote
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS w (exchange, symbol, base, quote)
ORDER BY w.exchange, w.symbol
ON CONFLICT (exchange, symbol) DO NOTHING
