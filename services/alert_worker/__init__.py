"""Watches the tape: pure detectors in event time, alerts as records first, then told to people by a notifier."""
