"""The daily digest, gathered from what is on Kafka: a day of every market, the alerts, the gaps."""
