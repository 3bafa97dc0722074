SELECT gap_id, exchange, symbols[1] AS symbol, from_at, noticed_at
FROM gap
WHERE status = 'open' AND to_at IS NULL AND gap_id LIKE 'anew %' AND channel = 'trade'
