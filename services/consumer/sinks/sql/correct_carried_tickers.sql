-- A ticker that came late: what was carried on past its minute from an older one is carried on from this one.
UPDATE ticker_1m AS carried
SET price = late.price, bid_price = late.bid_price, ask_price = late.ask_price,
    event_at = late.event_at, received_at = late.received_at
FROM ticker_1m late
WHERE late.instrument_id = $1 AND late.opened_at = timestamptz 'epoch' + $2::bigint * interval '1 minute'
    AND carried.instrument_id = late.instrument_id
    AND carried.opened_at > late.opened_at AND carried.opened_at < late.opened_at + interval '1 day'
    AND carried.event_at < late.event_at
