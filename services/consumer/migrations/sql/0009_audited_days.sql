-- A day is audited when every market that has a candle of it has passed: one that did says nothing of those that nobody
-- looked at yet. Where no auditor keeps its ledger there is nothing to wait for.
CREATE FUNCTION trade_day_audited(day date) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp
SET timezone = 'UTC'
AS $$
    SELECT NOT EXISTS (SELECT FROM public.completeness) OR (
        coalesce(
            (SELECT bool_and(c.passed_at IS NOT NULL) FROM public.completeness c WHERE c.day = trade_day_audited.day),
            false
        )
        AND NOT EXISTS (
            SELECT FROM public.instrument i
            WHERE NOT EXISTS (
                SELECT FROM public.completeness c WHERE c.instrument_id = i.id AND c.day = trade_day_audited.day
            ) AND EXISTS (
                SELECT FROM public.candle_1m k
                WHERE k.instrument_id = i.id AND k.opened_at >= trade_day_audited.day::timestamptz
                    AND k.opened_at < (trade_day_audited.day + 1)::timestamptz
            )
        )
    )
$$;

-- Otherwise as before.
CREATE OR REPLACE FUNCTION drop_trade_day(day date, retention interval, at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '500ms'
AS $$
DECLARE
    name text := public.trade_day_table(day);
    received_before timestamptz := least(at, now()) - retention;
    old boolean;
BEGIN
    IF retention < interval '1 day' THEN
        RAISE EXCEPTION 'retention is at least one day' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF received_before IS NULL OR day >= received_before::date
        OR NOT EXISTS (SELECT FROM public.trade_day d WHERE d.day = drop_trade_day.day)
        OR NOT public.trade_day_audited(day) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('public.trade'), 0);
    -- Nobody adds a late trade between the look and the drop.
    EXECUTE format('LOCK TABLE ONLY public.%I IN SHARE MODE', name);
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM public.%1$I) AND NOT EXISTS (SELECT FROM public.%1$I WHERE received_at >= $1)', name
    ) INTO old USING received_before;
    IF NOT old THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN true;
END $$;
