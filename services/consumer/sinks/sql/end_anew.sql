UPDATE gap SET from_at = $2, to_at = $3 WHERE gap_id = $1 AND status = 'open' AND to_at IS NULL
