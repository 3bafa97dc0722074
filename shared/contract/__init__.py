"""The published contract: every event as people and programs outside may rely on it, and its JSON Schema.

`shared.events` is the same contract in the form that is fast enough for every message; a property test holds the two
equal. Nothing on the hot path imports this.
"""
