"""A consumer's word about its store as a message to those who look after tapewatch. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.alert_worker.messages import blocks
from services.alert_worker.messages.blocks import outside
from services.alert_worker.messages.message import Message
from services.alert_worker.store_news import Kind, StoreNews

_EMOJI: Mapping[Kind, str] = {"near_retention": "🔴", "caught_up": "✅", "went_back": "🟡", "gap": "🔴"}


@dataclass(frozen=True)
class StoreWording:
    """The words of one language; braces are filled in here."""

    headlines: Mapping[Kind, str]
    more: str
    next: str


STORE_WORDINGS: Mapping[str, StoreWording] = {
    "en": StoreWording(
        headlines={
            "near_retention": "RECORDS WILL BE LOST · {reader}: Kafka soon deletes what it has not stored",
            "caught_up": "NO RECORDS WILL BE LOST · {reader} has caught up",
            "went_back": "STORE WENT BACK · {reader}: its store holds less than it had acknowledged",
            "gap": "RECORDS ARE LOST · {reader}: Kafka no longer has what it was to read next",
        },
        more="and {count} more",
        next="Next: type `tapewatch status --watch`",
    ),
    "ko": StoreWording(
        headlines={
            "near_retention": "데이터 손실 임박 · {reader}: 아직 저장하지 못한 레코드를 Kafka가 곧 삭제합니다",
            "caught_up": "데이터 손실 위험 해소 · {reader}: 밀린 레코드를 따라잡았습니다",
            "went_back": "저장소 상태 되돌아감 · {reader}: 저장소에 이미 저장했던 것보다 적은 데이터가 있습니다",
            "gap": "데이터 손실 · {reader}: 다음에 읽을 레코드가 Kafka에 남아 있지 않습니다",
        },
        more="그 밖에 {count}건",
        next="다음 명령: `tapewatch status --watch`",
    ),
}


def store_message(news: StoreNews, wording: StoreWording) -> Message:
    """What people read."""
    headline = wording.headlines[news.kind].format(reader=news.reader)
    reasons = [outside(reason) for reason in news.reasons]
    if news.left_out:
        reasons.append(wording.more.format(count=news.left_out))
    return Message(
        text=blocks.cut(outside(f"{headline}: {news.reasons[0]}"), blocks.TEXT_LIMIT),
        blocks=[
            blocks.header(f"{_EMOJI[news.kind]} {headline}"),
            *blocks.sections(reasons),
            blocks.context([*([] if news.kind == "caught_up" else [wording.next]), blocks.escape(news.mark)]),
        ],
        data={"type": "store", "kind": news.kind, "reader": news.reader, "reasons": list(news.reasons)},
    )
