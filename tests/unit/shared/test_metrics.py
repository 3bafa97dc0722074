"""Prometheus sees what a counter counts from its very first."""

from prometheus_client import CollectorRegistry, Counter, generate_latest

from shared.metrics import count_from_zero


def test_a_series_is_shown_before_its_first_count() -> None:
    registry = CollectorRegistry()
    refused = Counter("refusals_total", "by outcome", ["outcome"], registry=registry)
    assert b'outcome="refused"' not in generate_latest(registry)
    count_from_zero((refused, ("refused",)))
    assert b'refusals_total{outcome="refused"} 0.0' in generate_latest(registry)
