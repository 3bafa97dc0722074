from shared.liveness import Lack, Liveness


class Clock:
    def __init__(self) -> None:
        self.at_s = 100.0

    def __call__(self) -> float:
        return self.at_s


def test_a_start_may_take_long_and_what_is_ready_may_not_stand_still() -> None:
    clock = Clock()
    liveness = Liveness(clock, within_s=30, start_within_s=660)
    clock.at_s += 600
    assert liveness.is_alive
    assert not liveness.is_ready

    liveness.moved("12 records/s")
    assert liveness.is_ready
    assert liveness.status == "12 records/s"
    clock.at_s += 30
    assert liveness.is_alive
    clock.at_s += 1
    assert not liveness.is_alive

    liveness.moved()
    assert liveness.is_alive
    assert liveness.status == "12 records/s"


def test_waiting_for_what_is_away_is_well_and_makes_nobody_ready() -> None:
    clock = Clock()
    liveness = Liveness(clock, within_s=30, start_within_s=60)
    for _ in range(5):
        clock.at_s += 50
        liveness.waits("Kafka is away")
    assert liveness.is_alive
    assert not liveness.is_ready
    assert liveness.status == "Kafka is away"
    clock.at_s += 61
    assert not liveness.is_alive


def test_what_is_ready_and_only_waits_serves_for_as_long_as_a_kafka_may_be_away() -> None:
    clock = Clock()
    liveness = Liveness(clock, within_s=10, start_within_s=60)
    liveness.moved()
    for serves in (True, True, True, True, False):
        assert liveness.serves is serves
        clock.at_s += 10
        liveness.waits("Kafka is away")
    assert liveness.is_alive
    assert liveness.waits_s == 50
    liveness.moved()
    assert liveness.serves


def test_what_a_start_waits_for_is_told_and_is_no_progress() -> None:
    clock = Clock()
    liveness = Liveness(clock, within_s=30, start_within_s=60)
    clock.at_s += 61
    liveness.tells("waiting for Kafka for 61 s")
    assert (liveness.status, liveness.is_alive, liveness.is_ready) == ("waiting for Kafka for 61 s", False, False)


def test_who_says_that_the_next_word_may_take_longer_is_given_that_until_the_next_word() -> None:
    clock = Clock()
    liveness = Liveness(clock, within_s=10, start_within_s=60)
    liveness.moved("reading")
    liveness.waits("Kafka does not answer", next_within_s=30)
    clock.at_s += 30
    assert liveness.is_alive
    clock.at_s += 1
    assert not liveness.is_alive
    liveness.moved()
    clock.at_s += 11
    assert not liveness.is_alive


def test_what_it_is_without_is_said_before_all_else_and_since_when_it_last_got_on() -> None:
    clock = Clock()
    liveness = Liveness(clock, within_s=30, start_within_s=60)
    liveness.moved("12 records/s")
    for waits_s in (7, 8):
        clock.at_s += 1
        liveness.waits("0 records/s")
        clock.at_s += 6 if waits_s == 7 else 0
        liveness.lacks(Lack("Kafka", "Kafka does not answer"))
        assert liveness.says == f"waiting for Kafka for {waits_s} s: Kafka does not answer; 0 records/s"
    liveness.lacks(Lack("upbit", "no connection to upbit is up"))
    assert liveness.says.startswith("waiting for upbit for 0 s: ")
    clock.at_s += 20
    liveness.lacks(None)
    assert liveness.says == "0 records/s"
    liveness.lacks(Lack("redis", "redis does not answer for a batch", since_s=clock.at_s - 3))
    assert liveness.says.startswith("waiting for redis for 3 s: ")
