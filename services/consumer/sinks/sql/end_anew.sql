-- What was written of the new log before it was known to be another one is newer than the new log's first: then the gap
-- begins at what was stored before that.
UPDATE gap SET
    from_at = CASE WHEN from_at >= $3::timestamptz THEN $4::timestamptz ELSE from_at END,
    to_at = $5
WHERE exchange = $1 AND symbols = ARRAY[$2::text] AND status = 'open' AND to_at IS NULL AND gap_id LIKE 'anew %'
