-- Of any market, also of one that the store has never seen; of that topic's channel alone.
INSERT INTO gap (gap_id, exchange, channel, from_at, to_at, reason, noticed_at)
VALUES (
    concat_ws(' ', 'anew', $1::text, $2::text), $3::text, $4::text,
    -- Of nothing stored nobody knows since when: null, which least() would pass over.
    CASE WHEN $5::timestamptz < now() THEN $5 WHEN $5 IS NOT NULL THEN now() END,
    now(),
    'consumer-postgres: ' || $1::text || ' was made anew: what its old log held beyond what was read of it is missing, '
        'if there was any',
    now()
)
ON CONFLICT (gap_id) DO NOTHING
