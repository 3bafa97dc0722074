-- What each role may do, stated anew after every migration. Nothing here may delete or empty a table.
--
-- The writer appends. It changes only rows that are a running total (candles, minute tickers), the state of something
-- (positions, gaps, completeness, what an exchange says of an instrument), and never a trade, an alert or a dead
-- letter. Days come and go, and old dead letters go, through functions alone.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tapewatch_writer') THEN
        GRANT USAGE ON SCHEMA public TO tapewatch_writer;
        GRANT SELECT, INSERT ON
            instrument, trade, candle_1m, ticker_1m, alert, gap, completeness, dead_letter, sink_position
            TO tapewatch_writer;
        GRANT UPDATE ON candle_1m, ticker_1m, sink_position, gap, completeness TO tapewatch_writer;
        GRANT UPDATE (base, quote, korean_name, english_name, status, warning, cautions, updated_at) ON instrument
            TO tapewatch_writer;
        GRANT SELECT ON watchlist, trade_day, alembic_version TO tapewatch_writer;
        GRANT EXECUTE ON FUNCTION make_trade_day(date), drop_trade_day(date, interval, timestamptz),
            trade_day_audited(date), drop_dead_letters(interval, timestamptz, int)
            TO tapewatch_writer;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tapewatch_reader') THEN
        GRANT USAGE ON SCHEMA public TO tapewatch_reader;
        GRANT SELECT ON
            instrument, trade, candle_1m, ticker_1m, alert, gap, completeness, dead_letter, sink_position, watchlist,
            alembic_version, trade_day, trade_tape, market_stats_24h,
            candle_5m, candle_15m, candle_1h, candle_4h, candle_1d
            TO tapewatch_reader;
    END IF;
END $$;
