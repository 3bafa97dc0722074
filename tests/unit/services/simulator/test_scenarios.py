import pytest

from services.simulator.scenarios import DEFAULT_SCENARIO, SCENARIOS, Move


def test_a_move_is_a_line_between_its_points_and_level_outside() -> None:
    move = Move("upbit", "BTC", ((2.0, 0.0), (4.0, -4.0), (6.0, -1.0)))
    assert [move.percent_at(s) for s in (0, 2, 3, 4, 5, 6, 99)] == [0.0, 0.0, -2.0, -4.0, -2.5, -1.0, -1.0]
    assert [move.is_on(s) for s in (1.9, 2, 5.9, 6)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("name", "struck"),
    [
        ("flash-crash", {("upbit", "BTC")}),
        ("calm", set()),
        ("upbit-crash", {("upbit", "BTC"), ("upbit", "ETH")}),
        ("market-crash", {("upbit", "BTC"), ("upbit", "ETH"), ("binance", "BTC"), ("binance", "ETH")}),
    ],
)
def test_each_scenario_strikes_the_markets_that_it_says(name: str, struck: set[tuple[str, str]]) -> None:
    markets = {(exchange, base) for exchange in ("upbit", "binance") for base in ("BTC", "ETH")}
    moves = SCENARIOS[name].moves
    assert {market for market in markets if any(move.concerns(*market) for move in moves)} == struck


def test_the_default_exists() -> None:
    assert DEFAULT_SCENARIO in SCENARIOS
