-- What came of the batches: counted here, because a process that fails is gone with its own counters.
ALTER TABLE sink_position
    ADD COLUMN batches bigint NOT NULL DEFAULT 0,
    ADD COLUMN unacknowledged bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN sink_position.batches IS 'Batches that were stored whose first slice lay here.';
COMMENT ON COLUMN sink_position.unacknowledged IS
    'Processes that ended without giving this position up: each left at most one batch without an answer.';
COMMENT ON COLUMN sink_position.owner IS 'The process that may move this position; empty: given up in good order.';
