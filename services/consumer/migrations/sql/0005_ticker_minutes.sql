COMMENT ON TABLE ticker_1m IS
    'What each market showed at each minute''s end, from its first ticker on. Where it sent none in that minute, its '
    'last one, for a day at most: event_at, the time of that ticker, then lies before opened_at.';
