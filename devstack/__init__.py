"""Real Kafka, PostgreSQL and Valkey as plain processes of this machine, for the demo, the tests and the benchmarks."""
