"""Without a token or a webhook an alert is a line in the log."""

import structlog

from services.alert_worker.notifiers.slack_message import one_line
from services.alert_worker.notifiers.wording import Wording
from services.alert_worker.outbox import Action, Place

log = structlog.get_logger(__name__)


class LogNotifier:
    """Writes each state of an episode as a warning."""

    name = "log"

    def __init__(self, wording: Wording) -> None:
        self._wording = wording

    async def tell(self, action: Action, *, may_repeat: bool) -> Place:
        """See `Notifier`; never fails."""
        alert = action.newest
        log.warning(one_line(alert, self._wording), episode=alert.episode_id, state=alert.state, may_repeat=may_repeat)
        return Place()

    async def close(self) -> None:
        """Nothing to close."""
