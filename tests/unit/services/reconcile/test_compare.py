"""Which publication a copy in Kafka is taken for."""

from services.reconcile.compare import states_in_kafka
from services.reconcile.facts import Found, Published
from services.reconcile.newest import newest_in_store


def test_a_repeat_of_equal_publications_is_one_of_the_last_of_them() -> None:
    published = [Published(order, "7 price", 100 + order, True) for order in (0, 1)]
    copies = [Found("", "7 price", received_at_us) for received_at_us in (200, 201, 300)]
    in_kafka = states_in_kafka(published, copies, lambda _: False)
    assert {order: [one.received_at_us for one in found] for order, found in in_kafka.arrived.items()} == {
        0: [200],
        1: [201, 300],
    }
    assert newest_in_store(published, in_kafka.arrived, copies[-1]).wrong == 0
