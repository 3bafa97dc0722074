-- Days of `trade`: made and dropped by functions that run with the rights of the tables' owner, so that the writer
-- needs none. The search_path is pinned, or a caller could have its own tables and functions used with those rights.

CREATE FUNCTION trade_day_table(day date) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT 'trade_' || to_char(day::timestamp, 'YYYYMMDD') $$;

CREATE VIEW trade_day AS
SELECT to_date(right(child.relname, 8), 'YYYYMMDD') AS day, child.relname AS table_name
FROM pg_catalog.pg_inherits i
JOIN pg_catalog.pg_class child ON child.oid = i.inhrelid
WHERE i.inhparent = 'public.trade'::regclass AND child.relname ~ '^trade_[0-9]{8}$';

-- Make the partition of a UTC day with its key; say whether it was missing. Two callers at once: one makes it.
-- ATTACH, because CREATE TABLE … PARTITION OF waits for every open insert into `trade` and holds up those that follow.
CREATE FUNCTION make_trade_day(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    name text := public.trade_day_table(day);
BEGIN
    IF day NOT BETWEEN '2009-01-01' AND '2099-12-31' THEN
        RAISE EXCEPTION 'no trades are kept of the day %', day USING ERRCODE = 'datetime_field_overflow';
    END IF;
    IF EXISTS (SELECT FROM public.trade_day d WHERE d.day = make_trade_day.day) THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('public.trade'), 0);
    -- Looked at again: another caller may have made it before the lock was ours.
    IF EXISTS (SELECT FROM public.trade_day d WHERE d.day = make_trade_day.day) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.trade INCLUDING ALL)', name);
    EXECUTE format('CREATE UNIQUE INDEX %I ON public.%I (instrument_id, trade_id)', name || '_key', name);
    EXECUTE format(
        'ALTER TABLE public.trade ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        name, day::timestamptz, (day + 1)::timestamptz
    );
    RETURN true;
END $$;

-- Drop a day whose every trade was received longer ago than `retention`; say whether it was dropped. A recording of
-- another year that is played today therefore stays, and so does a day without trades: its first may be on the way.
-- Where an auditor keeps its ledger, never before it passed the day.
CREATE FUNCTION drop_trade_day(day date, retention interval) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '500ms'
AS $$
DECLARE
    name text := public.trade_day_table(day);
    old boolean;
BEGIN
    IF retention < interval '1 day' THEN
        RAISE EXCEPTION 'retention is at least one day' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF day >= (now() - retention)::date
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
    ) INTO old USING now() - retention;
    IF NOT old THEN
        RETURN false;
    END IF;
    EXECUTE format('DROP TABLE public.%I', name);
    RETURN true;
END $$;

REVOKE ALL ON FUNCTION make_trade_day(date), drop_trade_day(date, interval) FROM PUBLIC;
