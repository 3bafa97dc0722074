"""By when the canary must be back, as its gauge tells whoever watches from outside."""

from typing import Any

from prometheus_client import REGISTRY

from services.alert_worker.messages.wording import ENGLISH
from services.alert_worker.proving import Proving
from shared.canary import due_us
from shared.events import Notification

S = 1_000_000
BEGAN_US = 1_790_000_000 * S
NOBODY: Any = None


def due_s() -> float | None:
    return REGISTRY.get_sample_value("tapewatch_canary_due_timestamp_seconds")


def test_one_that_was_never_back_is_due_all_the_same() -> None:
    Proving(600, NOBODY, ENGLISH, lambda: BEGAN_US)
    assert due_s() == due_us(BEGAN_US + 600 * S, 600) / 1e6


def test_it_is_due_by_what_was_known_before_a_restart() -> None:
    proving = Proving(600, NOBODY, ENGLISH, lambda: BEGAN_US)
    proving.restore(
        Notification(
            episode_id="canary", notifier="slack", stage="sent", alert_id="a", alert_ids=["a"], at_us=BEGAN_US - 60 * S
        )
    )
    assert due_s() == due_us(BEGAN_US - 60 * S, 600) / 1e6


def test_where_none_goes_round_none_is_due() -> None:
    Proving(0, NOBODY, ENGLISH, lambda: BEGAN_US)
    assert due_s() == 0
