SELECT DISTINCT exchange, symbols[1] AS symbol
FROM gap
WHERE status = 'open' AND to_at IS NULL AND gap_id LIKE 'anew %' AND channel = 'trade'
