"""Secrets are hidden by their value, whatever shape a library gives them."""

import pytest

from shared.redaction import parts, without_secrets
from shared.settings import load_settings


@pytest.mark.parametrize(
    ("secret", "shown_by_somebody"),
    [
        ("plainsecret", "plainsecret"),
        ("postgresql://me:plainsecret@h:1/d", "plainsecret"),
        ("postgresql://me:pla%2Finse%20cret@h:1/d", "pla/inse cret"),
        ("postgresql://me:plain/secret@h:1/d", "plain"),
        ("redis://:plain#secret@h", "plain"),
        ("postgresql://h/d?user=me&password=plainsecret", "plainsecret"),
        ("host=h password=plainsecret user=me", "plainsecret"),
        ("https://h/hooks/plainsecret", "/hooks/plainsecret"),
        ("https://h/hooks/plain-secret-x?a=b", "plain-secret-x"),
        ("https://h/hook?token=plainsecret", "plainsecret"),
        ("http//plainsecret", "http//plainsecret"),
    ],
)
def test_what_a_library_may_show_of_a_secret_is_part_of_it(secret: str, shown_by_somebody: str) -> None:
    assert shown_by_somebody in parts(secret)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me@127.0.0.1:5432/tapewatch",
        "redis://127.0.0.1:6379/0",
        "postgresql://tapewatch:tapewatch@127.0.0.1:5432/x",
        "postgresql://me:tapewatch@127.0.0.1:5432/tapewatch?sslmode=disable",
    ],
)
def test_an_address_without_a_secret_may_be_shown(address: str) -> None:
    assert parts(address) == set()


def test_words_of_a_path_that_are_no_secret_stay_readable() -> None:
    assert parts("http://deadman:9470/heartbeat?notify=true") == {"/heartbeat?notify=true"}


def test_what_was_read_is_hidden_from_then_on() -> None:
    load_settings(
        {"TAPEWATCH_WEBHOOK__SECRET": "one-of-a-kind", "TAPEWATCH_WATCHDOG__HEARTBEAT_URL": "https://h/p/only-here"}
    )
    assert without_secrets("key one-of-a-kind at https://h/p/only-here") == "key *** at https://h***"
