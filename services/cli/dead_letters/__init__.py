"""`tapewatch dead-letters`: what nobody could read, from Kafka alone: shown, and read again once a reader is mended."""
