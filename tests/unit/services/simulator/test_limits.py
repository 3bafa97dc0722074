from services.simulator.limits import RollingWindow, TokenBucket


def test_a_window_rolls() -> None:
    window = RollingWindow(3, 1.0)
    assert [window.take(at) for at in (0.0, 0.5, 0.9, 0.99)] == [True, True, True, False]
    assert window.take(1.0)  # the first has just left
    assert not window.take(1.4)
    assert window.left(1.4) == 0
    assert window.free_in_s(1.4) == 0.5 + 1.0 - 1.4


def test_a_window_counts_weights() -> None:
    window = RollingWindow(100, 60.0)
    assert window.take(0.0, 80)
    assert not window.take(1.0, 21)
    assert window.take(1.0, 20)
    assert window.used(1.0) == 100
    assert window.used(60.0) == 20


def test_a_bucket_allows_a_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(per_s=1.0, burst=2.0)
    assert [bucket.take(10.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert bucket.take(10.5) == 0.5
    assert bucket.take(11.0) == 0.0
    assert [bucket.take(100.0) for _ in range(3)][-1] == 1.0
