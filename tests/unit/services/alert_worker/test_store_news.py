"""What consumers tell of their stores, as what people hear: once an episode, and once at its end."""

from types import SimpleNamespace
from typing import get_args

import pytest

from services.alert_worker.messages.store_message import STORE_WORDINGS, StoreWording, store_message
from services.alert_worker.store_news import (
    MOST_REASONS,
    TELL_WITHIN_US,
    TOGETHER_US,
    Kind,
    StoreNews,
    StoreStories,
    is_news,
)
from services.consumer.gaps import gap_event
from services.consumer.positions import Bounds, Outside
from services.consumer.retention import Lag
from services.consumer.retention_watch import RetentionWatch
from services.consumer.sinks.base import Kept
from shared.events import FeedEvent
from shared.settings import KafkaSettings

AT_US = 1_790_000_000_000_000
LATER_US = AT_US + TOGETHER_US


def of_retention(kind: str, topic: str, at_us: int = AT_US, reader: str = "redis") -> FeedEvent:
    """As a consumer itself says it."""
    watch = RetentionWatch(KafkaSettings(), SimpleNamespace(name=reader), "group", [])  # type: ignore[arg-type]
    event = watch._event(kind, "so many records wait", Lag(topic, 5, 1, 2, 0.5))  # type: ignore[arg-type]
    return FeedEvent(kind=event.kind, exchange=event.exchange, reason=event.reason, at_us=at_us)


def of_gap(partition: int, at_us: int = AT_US, kept: Kept | None = None) -> FeedEvent:
    return gap_event(Outside("tape.trades.v1", partition, 5, Bounds(9, 20)), "consumer-redis", kept, at_us)


def heard(*events: FeedEvent, until_us: int = LATER_US * 2) -> list[StoreNews]:
    stories = StoreStories("store-")
    return [*(news for event in events for news in stories.hear(event)), *stories.due(until_us)]


def test_an_episode_is_told_once_and_once_at_its_end() -> None:
    events = [
        of_retention("degraded", "tape.trades.v1"),
        of_retention("degraded", "tape.trades.v1", LATER_US),
        of_retention("resumed", "tape.trades.v1", LATER_US * 2),
    ]
    begin, end = heard(*events, until_us=LATER_US * 3)

    assert (begin.kind, end.kind) == ("near_retention", "caught_up")
    assert begin.reader == end.reader == "consumer-redis"
    assert begin.reasons == ("tape.trades.v1: so many records wait",)
    assert end.begun == begin.mark


def test_the_end_is_told_when_the_last_topic_has_caught_up() -> None:
    events = [
        *(of_retention("degraded", topic) for topic in ("tape.orderbooks.v1", "tape.trades.v1")),
        of_retention("resumed", "tape.orderbooks.v1", LATER_US * 2),
        of_retention("resumed", "tape.trades.v1", LATER_US * 3),
    ]
    begin, end = heard(*events, until_us=LATER_US * 4)
    assert (begin.kind, end.kind, end.at_us) == ("near_retention", "caught_up", LATER_US * 3)


@pytest.mark.parametrize("kept", [None, Kept("trade", AT_US)], ids=["cache", "record"])
def test_what_a_consumer_says_at_once_of_many_is_one_message(kept: Kept | None) -> None:
    (news,) = heard(*(of_gap(partition, AT_US + partition, kept) for partition in range(8)))

    assert (news.kind, len(news.reasons)) == ("gap", 8)
    assert news.reasons[7] == "tape.trades.v1 partition 7: offsets 5 to 8 were deleted before they were read"


def test_a_message_stays_short_and_counts_what_it_leaves_out() -> None:
    (news,) = heard(*(of_gap(partition) for partition in range(MOST_REASONS + 3)))

    assert (len(news.reasons), news.left_out) == (MOST_REASONS, 3)
    assert "and 3 more" in str(store_message(news, STORE_WORDINGS["en"]).blocks)


def test_heard_again_after_a_restart_it_has_the_same_marks() -> None:
    events = [of_gap(1), of_retention("degraded", "tape.trades.v1"), of_retention("degraded", "tape.tickers.v1")]

    assert [one.mark for one in heard(*events)] == [one.mark for one in heard(*events)]
    assert len({one.mark for one in heard(*events)}) == 2


def test_readers_do_not_end_each_other_s_episodes() -> None:
    begin = of_retention("degraded", "tape.trades.v1")
    other_end = of_retention("resumed", "tape.trades.v1", AT_US + 1, reader="postgres")

    assert [news.kind for news in heard(begin, other_end)] == ["near_retention"]


def test_a_store_that_went_back_is_told_and_an_exchange_s_own_words_are_not() -> None:
    back = FeedEvent(kind="degraded", exchange="*", reason="consumer-postgres: the store stands 7 records", at_us=AT_US)
    unserved = FeedEvent(kind="degraded", exchange="upbit", reason="symbols are not served", at_us=AT_US)

    assert [(news.kind, news.reader) for news in heard(back, unserved)] == [("went_back", "consumer-postgres")]


def test_what_happened_long_ago_is_no_news() -> None:
    (news,) = heard(of_gap(1))

    assert is_news(news, AT_US + TELL_WITHIN_US)
    assert not is_news(news, AT_US + TELL_WITHIN_US + 1)


@pytest.mark.parametrize("wording", STORE_WORDINGS.values(), ids=STORE_WORDINGS.keys())
@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_language_has_every_headline_within_slack_s_limits(wording: StoreWording, kind: Kind) -> None:
    news = StoreNews(kind, "consumer-redis", "store-1", AT_US, ("<!channel> & so on",))
    message = store_message(news, wording)

    assert "consumer-redis" in message.text
    assert "<!" not in str(message.blocks)
    assert len(message.blocks[0]["text"]["text"]) < 150
