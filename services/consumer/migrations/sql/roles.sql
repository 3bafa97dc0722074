-- Group roles that nobody logs in as. Deployers grant them to their login users:
--   GRANT tapewatch_writer TO the_user_of_the_postgres_consumer;
-- A migrating user who may not create roles goes on without them and owns everything itself.
DO $$
DECLARE
    wanted text;
    may_create boolean := (SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user);
BEGIN
    FOREACH wanted IN ARRAY ARRAY['tapewatch_owner', 'tapewatch_writer', 'tapewatch_reader'] LOOP
        IF may_create AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            -- Roles belong to the whole server: a migration of another database can make them at the same moment.
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
            END;
        END IF;
    END LOOP;
    IF may_create AND NOT pg_has_role('tapewatch_owner', 'USAGE') THEN
        BEGIN
            EXECUTE format('GRANT tapewatch_owner TO %I', current_user);
        -- The role is somebody else's, who did not let us in: what we make is ours.
        EXCEPTION WHEN insufficient_privilege THEN NULL;
        END;
    END IF;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'tapewatch_owner')
        AND has_schema_privilege('public', 'CREATE WITH GRANT OPTION') THEN
        GRANT CREATE, USAGE ON SCHEMA public TO tapewatch_owner;
    END IF;
END $$;
