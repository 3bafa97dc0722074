INSERT INTO dead_letter (
    reason, at, reader, topic, partition, "offset", schema, exchange, connection, suppressed, payload, payload_bytes
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT DO NOTHING
RETURNING 1
