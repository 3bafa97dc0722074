-- Retention by the instant that the caller goes by, so that a day is made, kept and dropped by one clock. An instant
-- ahead of this server's clock counts as now: a caller whose clock is wrong, or that may do no more than append, can
-- keep a day longer and never drop one sooner. Otherwise as before.
DROP FUNCTION drop_trade_day(date, interval);
CREATE FUNCTION drop_trade_day(day date, retention interval, at timestamptz) RETURNS boolean
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
        OR NOT EXISTS (SELECT FROM public.trade_day d WHERE d.day = drop_trade_day.day) THEN
        RETURN false;
    END IF;
    IF EXISTS (SELECT FROM public.completeness) AND NOT coalesce(
        (SELECT bool_and(c.passed_at IS NOT NULL) FROM public.completeness c WHERE c.day = drop_trade_day.day), false
    ) THEN
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

REVOKE ALL ON FUNCTION drop_trade_day(date, interval, timestamptz) FROM PUBLIC;
