"""What consumers say of their stores on the feed topic, as what those who look after tapewatch are told once. Pure.

A consumer tells each topic and each partition by itself. What it says within seconds is one message.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from shared.events import FeedEvent
from shared.topics import TOPIC_BY_NAME

EVERY_EXCHANGE = "*"
"""How a consumer names whom it concerns: all."""
TOGETHER_US = 5_000_000
TELL_WITHIN_US = 24 * 3_600_000_000
"""What is older when it is first heard is no news."""
MOST_REASONS = 10
Kind = Literal["near_retention", "caught_up", "went_back", "gap"]


@dataclass(frozen=True, slots=True)
class StoreNews:
    """One message. `begun` is the mark of the message that this one ends; `left_out` counts further reasons."""

    kind: Kind
    reader: str
    mark: str
    at_us: int
    reasons: tuple[str, ...]
    left_out: int = 0
    begun: str | None = None


class StoreStories:
    """Takes in the feed topic in its order; bounded by the number of readers and topics."""

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._waiting: dict[tuple[Kind, str], StoreNews] = {}
        self._open: dict[tuple[str, str], StoreNews] = {}

    def hear(self, event: FeedEvent) -> Sequence[StoreNews]:
        """A record of the feed topic; returns what is complete by it."""
        if event.exchange != EVERY_EXCHANGE:
            return ()
        done = self.due(event.at_us)
        reader, topic, said = _parts(event.reason)
        kind = _kind(event, topic)
        story = self._open.get((reader, topic))
        if kind is None or (kind == "caught_up" and story is None):
            return done
        if kind == "near_retention" and story is not None and event.at_us - story.at_us < TELL_WITHIN_US:
            return done  # who was killed between telling and noting it tells again
        if kind == "caught_up":
            del self._open[reader, topic]
            if any(of == reader for of, _ in self._open):
                return done  # others of its topics may still lose records
        begun = story.mark if story is not None and kind == "caught_up" else None
        news = self._waiting.get((kind, reader))
        if news is None:
            news = StoreNews(kind, reader, f"{self._mark}{reader}-{kind}-{event.at_us}", event.at_us, (), begun=begun)
        if kind == "near_retention":
            self._open[reader, topic] = news
        self._waiting[kind, reader] = _with(news, f"{topic}: {said}" if topic else said)
        return done

    def due(self, now_us: int) -> Sequence[StoreNews]:
        """What nobody will add to any more."""
        done = [key for key, news in self._waiting.items() if news.at_us + TOGETHER_US <= now_us]
        return [self._waiting.pop(key) for key in done]


def is_news(news: StoreNews, now_us: int) -> bool:
    """Whether people still want to hear it."""
    return now_us - news.at_us <= TELL_WITHIN_US


def _kind(event: FeedEvent, topic: str) -> Kind | None:
    if event.kind == "gap" or event.connection is not None:  # a loss names its place; to a cache it is no gap
        return "gap"
    if event.kind == "degraded":
        return "near_retention" if topic else "went_back"
    return "caught_up" if event.kind == "resumed" else None


def _parts(reason: str) -> tuple[str, str, str]:
    """Who says it, the topic that it is about or nothing, and what it says: as consumers write their reasons."""
    reader, _, said = reason.partition(": ")
    topic, colon, rest = said.partition(": ")
    return (reader, topic, rest) if colon and topic in TOPIC_BY_NAME else (reader, "", said)


def _with(news: StoreNews, reason: str) -> StoreNews:
    if len(news.reasons) >= MOST_REASONS:
        return replace(news, left_out=news.left_out + 1)
    return replace(news, reasons=(*news.reasons, reason))
