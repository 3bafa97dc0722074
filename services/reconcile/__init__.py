"""Compares what the simulated exchanges really published with what Kafka, Redis and Postgres hold."""
