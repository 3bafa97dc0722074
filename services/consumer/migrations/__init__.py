"""The schema of the record, one numbered SQL file a step; `services.consumer.migrate` runs those that are missing."""
