"""A seeded synthetic market: what trades, at which price, in which order. Pure: no clock, no socket."""
