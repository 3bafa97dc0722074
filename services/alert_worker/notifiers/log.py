"""Without a token or a webhook a message is a line in the log."""

import structlog

from services.alert_worker.actions import Place
from services.alert_worker.notifiers.base import Errand, PostsOnly
from services.alert_worker.notifiers.pace import unlimited

log = structlog.get_logger(__name__)


class LogNotifier(PostsOnly):
    """Writes each message's line as a warning."""

    name = "log"

    def __init__(self) -> None:
        self.pace = unlimited()
        log.warning(
            "nobody is told: alerts are stored and logged here until TAPEWATCH_SLACK__BOT_TOKEN, "
            "SLACK__WEBHOOK_URL or WEBHOOK__URL is set"
        )

    async def post(self, errand: Errand) -> Place:
        """See `Notifier`; never fails."""
        log.warning(errand.unseen.text, mark=errand.mark)
        return Place()
