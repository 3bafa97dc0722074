from services.consumer.flood import Flood


def test_a_few_unreadable_records_are_no_flood_however_many_follow_each_other() -> None:
    flood = Flood()

    assert not any(flood.see(1, 1) for _ in range(500))


def test_more_than_half_of_the_last_thousand_is_a_flood() -> None:
    flood = Flood()

    assert not any(flood.see(1, 1) for _ in range(500))
    assert flood.see(1, 1)


def test_unreadable_records_long_ago_are_forgotten() -> None:
    flood = Flood()
    flood.see(400, 400)

    assert not any(flood.see(100, 0) for _ in range(20))
    assert not flood.see(400, 400)


def test_one_large_batch_counts_by_its_share() -> None:
    assert not Flood().see(2000, 1000)
    assert Flood().see(2000, 1001)


def test_what_was_before_a_restart_counts() -> None:
    flood = Flood()
    assert not flood.see(100, 0)
    flood.recall([False] * 500 + [True] * 500)

    assert flood.see(1, 1)


def test_of_the_past_no_more_counts_than_a_thousand_records() -> None:
    flood = Flood()
    flood.see(600, 0)
    flood.recall([True] * 5_000)

    assert flood.knows_enough
    assert not flood.see(1, 1)


def test_a_past_that_was_readable_is_no_flood() -> None:
    flood = Flood()
    flood.recall([False] * 1_000)

    assert not any(flood.see(1, 1) for _ in range(500))
