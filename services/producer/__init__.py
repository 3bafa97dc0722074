"""One exchange's feeds: sockets in, Kafka records out."""
