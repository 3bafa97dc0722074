-- Drop the oldest letters that are past `retention`, `most` of them at once; say how many. By the caller's clock, but
-- none sooner than by this server's. Rows that somebody else holds are left to them, or to the next call.
CREATE FUNCTION drop_dead_letters(retention interval, at timestamptz, most int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '500ms'
AS $$
DECLARE
    dropped int;
BEGIN
    IF retention < interval '1 day' THEN
        RAISE EXCEPTION 'retention is at least one day' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- An array is gathered once; a join with the LIMIT in it may be run again for each row, and then take more.
    DELETE FROM public.dead_letter WHERE id = ANY (ARRAY(
        SELECT l.id FROM public.dead_letter l
        WHERE l.at < least(drop_dead_letters.at, now()) - retention
        ORDER BY l.at LIMIT most FOR UPDATE SKIP LOCKED
    ));
    GET DIAGNOSTICS dropped = ROW_COUNT;
    RETURN dropped;
END $$;

REVOKE ALL ON FUNCTION drop_dead_letters(interval, timestamptz, int) FROM PUBLIC;
