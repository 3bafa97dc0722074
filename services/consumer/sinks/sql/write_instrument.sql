INSERT INTO instrument AS i (
    exchange, symbol, base, quote, korean_name, english_name, status, warning, cautions, updated_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (exchange, symbol) DO UPDATE SET
    base = excluded.base,
    quote = excluded.quote,
    korean_name = excluded.korean_name,
    english_name = excluded.english_name,
    status = excluded.status,
    warning = excluded.warning,
    cautions = excluded.cautions,
    updated_at = excluded.updated_at
-- The newest list wins. The same list told again changes nothing.
WHERE i.updated_at IS NULL OR excluded.updated_at > i.updated_at
RETURNING 1
