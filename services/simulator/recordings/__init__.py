"""Recorded frames as a source: sent byte for byte, at the pace at which they were received, or faster."""
