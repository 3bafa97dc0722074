from services.consumer.sinks import SINKS
from services.producer.publisher import TOPICS_WRITTEN
from shared.rights import RIGHTS, Operation, Right, Role, refused, roles_within, sentence
from shared.settings import Settings


def topics(role: Role, operation: Operation) -> set[str]:
    return {right.name for right in RIGHTS[role] if right.kind == "topic" and right.operation == operation}


def test_each_sink_may_read_its_topics_and_no_others() -> None:
    for row in SINKS.values():
        its_own = {topic.name for topic in row.make(Settings()).topics}
        assert topics(row.role, "Read") == topics(row.role, "DescribeConfigs") == its_own


def test_the_producer_may_write_what_it_writes_and_no_more() -> None:
    assert topics("producer", "Write") == {topic.name for topic in TOPICS_WRITTEN}


def test_nobody_makes_topics_but_the_set_up() -> None:
    assert [role for role in RIGHTS if topics(role, "Create")] == ["setup"]
    assert topics("reader", "Write") == set()


def test_a_right_is_refused_only_when_the_broker_says_so() -> None:
    read, write = Right("topic", "a", "Read"), Right("topic", "b", "Write")
    assert refused([read, write], {("topic", "a"): frozenset({"Describe"})}) == [read]
    assert refused([read, write], {("topic", "b"): frozenset()}) == [write]
    assert refused([read, write], {}) == []


def test_one_line_names_who_what_and_the_remedy() -> None:
    assert sentence([Right("topic", "tape.trades.v1", "Write")], "ann", "producer") == (
        "Kafka does not let ann do what this needs: Write topic tape.trades.v1. "
        "Type as Kafka's administrator: tapewatch topics grant producer --user ann"
    )


def test_of_what_a_user_may_beyond_a_role_whole_roles_are_named() -> None:
    held = [*RIGHTS["setup"], *RIGHTS["consumer-redis"], Right("topic", "another", "Read")]
    assert roles_within(held, "consumer-redis") == ["setup"]
    assert roles_within(RIGHTS["operator"], "operator") == []
