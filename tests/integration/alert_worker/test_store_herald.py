"""What consumers say of their stores reaches those who look after tapewatch, once, whatever restarts."""

from services.consumer.feed import EVERY_EXCHANGE
from services.consumer.feed import publish as publish_event
from services.consumer.gaps import tell
from services.consumer.positions import Bounds, Outside
from services.consumer.sinks import SINKS
from shared.clock import now_us
from shared.events import FeedEvent
from shared.settings import Settings

GAP = "RECORDS ARE LOST · consumer-redis"
NEAR, OVER = "RECORDS WILL BE LOST · consumer-postgres", "NO RECORDS WILL BE LOST · consumer-postgres"


def of_retention(kind: str) -> FeedEvent:
    reason = "consumer-postgres: tape.trades.v1: 7 records wait"
    return FeedEvent(kind=kind, exchange=EVERY_EXCHANGE, reason=reason, at_us=now_us())  # type: ignore[arg-type]


async def test_lost_records_and_a_lag_near_retention_are_told_once_and_so_is_its_end(
    worker, slack, producer, eventually
) -> None:
    def told(text: str) -> int:
        return sum(message.text.startswith(text) for message in ops.messages)

    ops = next(channel for channel in slack.workspace.channels if channel.name == "ops")
    worker.environment["TAPEWATCH_SLACK__OPS_CHANNEL"] = "#ops"
    worker.environment["TAPEWATCH_ALERTS__CANARY_EVERY_S"] = "0"
    outside = [Outside("tape.trades.v1", partition, 5, Bounds(9, 20)) for partition in range(3)]
    await tell(producer, outside, SINKS["redis"].make(Settings()), now_us())
    await publish_event(producer, of_retention("degraded"))
    await worker.start()
    await eventually(lambda: told(GAP) > 0 and told(NEAR) > 0)
    assert await worker.stop() == 0

    await publish_event(producer, of_retention("resumed"))
    await worker.start()
    await eventually(lambda: told(OVER) > 0)
    assert await worker.stop() == 0
    assert (told(GAP), told(NEAR), told(OVER)) == (1, 1, 1)
    assert slack.messages == []
