INSERT INTO alert (
    alert_id, episode_id, state, kind, detectors, scope, direction, severity, started_at, decided_at, rule_version,
    exchange, symbol, base, quote, event_at, received_at, price_before, price_now, price_extreme, change_pct, window_s,
    sigma, volume_ratio, divergence_pct, data_quality, members, changes
)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
    $25, $26, $27, $28
)
ON CONFLICT (alert_id) DO NOTHING
RETURNING 1
