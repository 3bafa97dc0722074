from hypothesis import given
from hypothesis import strategies as st

from services.producer.exchanges.base import Rate
from services.producer.tokens import Budget

TICKS = st.integers(0, 2048).map(lambda ticks: ticks / 1024)  # sums of these are exact
RATES = st.lists(st.builds(Rate, st.integers(1, 5), st.integers(1, 960).map(lambda n: n / 16)), min_size=1, max_size=3)


@given(rates=RATES, pauses_s=st.lists(TICKS, min_size=1, max_size=60))
def test_no_window_holds_more_than_its_rate_allows(rates, pauses_s):
    budget, now_s, granted_s = Budget(rates), 0.0, []
    for pause_s in pauses_s:
        now_s += pause_s
        granted_s.append(now_s + budget.reserve(now_s))
    assert granted_s == sorted(granted_s)
    for rate in rates:
        for first, beyond in zip(granted_s, granted_s[rate.count :], strict=False):
            assert beyond - first >= rate.seconds


def test_nobody_waits_within_the_allowance():
    budget = Budget([Rate(4, 1.0), Rate(6, 60.0)])
    assert [budget.reserve(0.0) for _ in range(7)] == [0, 0, 0, 0, 1, 1, 60]
