"""Writes the tape into one store a process: Redis or Postgres, each with its own position."""
