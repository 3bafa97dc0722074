"""When a report says that all is well."""

import pytest

from services.reconcile.report import Report, judge

NO_TRADE = "no trade was published, so nothing is proven of trades"
NOTHING = "nothing was published, so nothing is proven"


@pytest.mark.parametrize(
    ("published", "with_trades", "faults"),
    [
        ({"trade": 1, "ticker": 5, "orderbook": 0}, True, []),
        ({"trade": 0, "ticker": 5, "orderbook": 0}, True, [NO_TRADE]),
        ({"trade": 0, "ticker": 5, "orderbook": 0}, False, []),
        ({"trade": 0, "ticker": 0, "orderbook": 0}, True, [NOTHING]),
    ],
)
def test_a_run_that_was_to_have_trades_and_had_none_is_not_well(
    published: dict[str, int], with_trades: bool, faults: list[str]
) -> None:
    none: dict[str, dict[str, int]] = {}
    report = Report(
        seconds=1, published=published, unheard={}, conflated={}, kafka=none, redis=none, postgres=none, gaps={}
    )
    assert judge(report, with_trades=with_trades).faults == faults
    assert report.ok is (not faults)
