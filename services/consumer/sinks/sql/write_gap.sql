INSERT INTO gap AS g (
    gap_id, exchange, channel, symbols, connection, from_at, to_at, first_missing_id, last_missing_id, reason,
    noticed_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (gap_id) DO UPDATE SET
    to_at = excluded.to_at,
    last_missing_id = coalesce(excluded.last_missing_id, g.last_missing_id),
    reason = excluded.reason,
    noticed_at = greatest(g.noticed_at, excluded.noticed_at),
    status = 'open',
    closed_at = NULL
-- Told again, a gap changes nothing, unless it has its end now, reaches further, or is open once more.
WHERE (g.to_at IS NULL AND excluded.to_at IS NOT NULL)
    OR excluded.to_at > g.to_at
    OR (excluded.to_at IS NULL AND g.to_at IS NOT NULL AND excluded.noticed_at > g.noticed_at)
RETURNING 1
