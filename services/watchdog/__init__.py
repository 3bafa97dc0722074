"""Tells people when a part of tapewatch goes down, and when it is back. Needs none of Kafka, Redis and Postgres."""
