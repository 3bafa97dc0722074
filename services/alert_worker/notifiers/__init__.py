"""The notifiers that can be chosen: the first row whose condition the settings meet."""

from collections.abc import Callable

from services.alert_worker.notifiers import signed_webhook, slack
from services.alert_worker.notifiers.base import Notifier
from services.alert_worker.notifiers.log import LogNotifier
from shared.settings import Settings

NOTIFIERS: tuple[tuple[Callable[[Settings], bool], Callable[[Settings], Notifier]], ...] = (
    (lambda settings: settings.slack.bot_token is not None, slack.make_bot),
    (lambda settings: settings.slack.webhook_url is not None, slack.make_webhook),
    (lambda settings: settings.webhook.url is not None, signed_webhook.make),
    (lambda settings: True, lambda settings: LogNotifier()),
)


def choose(settings: Settings) -> Notifier:
    """The notifier that the settings ask for."""
    return next(make for applies, make in NOTIFIERS if applies(settings))(settings)
