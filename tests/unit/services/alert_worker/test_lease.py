"""Who watches and tells, found from the claims in Kafka's log alone."""

import random
from itertools import count

import pytest
from msgspec import structs

from services.alert_worker.lease import RENEW_EVERY_S, SILENT_S, SURE_S, Claim, Lease, Owner, Silence

HERE = Owner("here", "boot-1", "pid:[1]", 100, "a")
ELSEWHERE = Owner("elsewhere", "boot-2", "pid:[1]", 100, "b")
THIRD = Owner("third", "boot-3", "pid:[1]", 100, "c")


def runs(*pids: int):
    return lambda pid: pid in pids


def heard(me: Owner, *claims: Claim) -> Lease:
    lease = Lease(me)
    for offset, claim in enumerate(claims):
        lease.hear(offset, claim)
    return lease


def test_the_first_claim_of_all_counts() -> None:
    lease = Lease(HERE)
    assert lease.is_free(runs())
    assert not lease.is_mine
    lease.hear(7, lease.claim())
    assert lease.is_mine


def test_of_two_that_start_together_the_first_in_the_log_is_in_charge_and_stays_so() -> None:
    first, second = Claim(HERE, -1), Claim(ELSEWHERE, -1)
    winner, loser = heard(HERE, first, second), heard(ELSEWHERE, first, second)
    assert winner.is_mine
    assert not loser.is_mine
    assert not loser.is_free(runs(100))
    renewed = Claim(HERE, 0)
    winner.hear(2, renewed)
    loser.hear(2, renewed)
    assert winner.is_mine
    assert loser.holder == HERE


def test_who_takes_over_in_knowledge_of_the_last_claim_counts_and_the_one_that_wakes_is_told() -> None:
    log = [Claim(HERE, -1), Claim(HERE, 0), Claim(ELSEWHERE, 1), Claim(HERE, 1)]
    assert not heard(HERE, *log).is_mine
    assert heard(ELSEWHERE, *log).is_mine


def test_who_takes_over_while_the_other_renews_has_lost() -> None:
    log = [Claim(HERE, -1), Claim(HERE, 0), Claim(ELSEWHERE, 0)]
    assert heard(HERE, *log).is_mine
    assert not heard(ELSEWHERE, *log).is_mine


def test_what_was_given_up_is_free_and_goes_to_the_first_that_asks() -> None:
    given_up = [Claim(HERE, -1), Claim(HERE, 0, is_released=True)]
    assert heard(ELSEWHERE, *given_up).is_free(runs(100))
    assert not heard(HERE, *given_up).is_mine
    both = [*given_up, Claim(ELSEWHERE, 1), Claim(THIRD, 1)]
    assert heard(ELSEWHERE, *both).is_mine
    assert not heard(THIRD, *both).is_mine


def test_who_lost_it_cannot_give_it_up() -> None:
    log = [Claim(HERE, -1), Claim(ELSEWHERE, 0), Claim(HERE, 0, is_released=True)]
    assert heard(ELSEWHERE, *log).is_mine


@pytest.mark.parametrize(
    ("change", "is_free"),
    [
        ({}, True),  # our own process id: who had it before us is gone
        ({"pid_namespace": "pid:[2]"}, True),  # a container that was started again
        ({"pid": 99}, True),
        ({"pid": 98}, False),  # still there
        ({"pid": 99, "pid_namespace": "pid:[2]"}, False),  # whether it is there cannot be seen from here
        ({"boot_id": "boot-0"}, False),  # two machines may have one name
        ({"host": "elsewhere"}, False),
    ],
)
def test_a_predecessor_that_is_certainly_gone_is_not_waited_for(change: dict[str, object], is_free: bool) -> None:
    predecessor = structs.replace(HERE, nonce="before", **change)
    assert heard(HERE, Claim(predecessor, -1)).is_free(runs(98, 100)) is is_free


def test_who_came_late_to_a_compacted_log_soon_agrees_with_the_others() -> None:
    late = Lease(THIRD)
    late.hear(1, Claim(ELSEWHERE, -1))  # it is void, which the one before it would tell
    late.hear(2, Claim(HERE, 0))
    late.hear(3, Claim(HERE, 2))
    assert late.holder == HERE


def test_however_claims_meet_who_reads_back_its_own_decides_as_everybody_does() -> None:
    for seed in range(300):
        rng = random.Random(seed)
        log: list[Claim] = []
        workers = {owner: (Lease(owner), count()) for owner in (HERE, ELSEWHERE, THIRD)}
        all_read = Lease(HERE)
        for _ in range(20):
            lease, position = workers[rng.choice(list(workers))]
            for offset in position:
                if offset >= len(log) or rng.random() < 0.2:
                    workers[lease.me] = (lease, count(offset))
                    break
                lease.hear(offset, log[offset])
            if rng.random() < 0.5:
                continue
            log.append(lease.claim())
            all_read.hear(len(log) - 1, log[-1])
            _, position = workers[lease.me]
            for offset in position:
                lease.hear(offset, log[offset])
                if offset == len(log) - 1:
                    break
            assert lease.is_mine == (all_read.holder == lease.me), seed


def test_who_stands_by_counts_the_silence_from_the_last_word_or_from_when_kafka_was_back() -> None:
    silence = Silence(since_s=0.0)
    assert not silence.is_long(SILENT_S - 0.1)
    silence.broken(9.0)
    assert not silence.is_long(9.0 + SILENT_S - 0.1)
    assert silence.is_long(9.0 + SILENT_S)


def test_nobody_takes_over_while_the_other_may_still_tell() -> None:
    assert RENEW_EVERY_S * 2 < SURE_S < SILENT_S
