"""One package a process. Services meet on Kafka and never import one another."""
