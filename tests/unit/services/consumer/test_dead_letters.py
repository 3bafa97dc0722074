from base64 import b64decode

from services.consumer.dead_letters import MAX_PAYLOAD_BYTES, dead_letter
from services.consumer.decode import Poison


def poison(value: bytes | None) -> Poison:
    return Poison("tape.trades.v1", 3, 1234, "not a trade/1", value, "trade/1", 17)


def test_a_dead_letter_says_where_the_record_lies_and_who_could_not_read_it() -> None:
    letter = dead_letter(poison(b"\xff{"), "consumer-redis", 17)

    assert (letter.topic, letter.partition, letter.offset) == ("tape.trades.v1", 3, 1234)
    assert (letter.reader, letter.schema, letter.at_us) == ("consumer-redis", "trade/1", 17)
    assert b64decode(letter.payload) == b"\xff{"
    assert letter.payload_bytes == 2


def test_a_huge_record_is_kept_by_its_beginning() -> None:
    letter = dead_letter(poison(b"x" * (MAX_PAYLOAD_BYTES + 5)), "consumer-redis", 17)

    assert len(b64decode(letter.payload)) == MAX_PAYLOAD_BYTES
    assert letter.payload_bytes == MAX_PAYLOAD_BYTES + 5


def test_a_record_without_a_value_is_an_empty_payload() -> None:
    assert (dead_letter(poison(None), "r", 0).payload, dead_letter(poison(None), "r", 0).payload_bytes) == ("", 0)
