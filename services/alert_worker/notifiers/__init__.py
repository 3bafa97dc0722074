"""The notifiers that can be chosen: the first row whose condition the settings meet."""

from collections.abc import Callable

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from services.alert_worker.notifiers.base import Notifier
from services.alert_worker.notifiers.log import LogNotifier
from services.alert_worker.notifiers.slack import CALL_LIMIT_S, SlackBot, SlackWebhook
from services.alert_worker.notifiers.wording import WORDINGS, Wording
from shared.clock import now_us
from shared.settings import Settings, SlackSettings


def _bot(settings: SlackSettings, wording: Wording) -> Notifier:
    token = settings.bot_token.get_secret_value() if settings.bot_token else ""
    # No retries inside the library: it would post again without saying that this may be a repeat.
    client = AsyncWebClient(token=token, base_url=settings.api_url, timeout=CALL_LIMIT_S, retry_handlers=[])
    return SlackBot(client, settings.channel, wording, now_us)


def _webhook(settings: SlackSettings, wording: Wording) -> Notifier:
    url = settings.webhook_url.get_secret_value() if settings.webhook_url else ""
    client = AsyncWebhookClient(url, timeout=CALL_LIMIT_S, retry_handlers=[])
    return SlackWebhook(client, wording, now_us)


NOTIFIERS: tuple[tuple[Callable[[SlackSettings], bool], Callable[[SlackSettings, Wording], Notifier]], ...] = (
    (lambda slack: slack.bot_token is not None, _bot),
    (lambda slack: slack.webhook_url is not None, _webhook),
    (lambda slack: True, lambda slack, wording: LogNotifier(wording)),
)


def choose(settings: Settings) -> Notifier:
    """The notifier that the settings ask for."""
    make = next(make for applies, make in NOTIFIERS if applies(settings.slack))
    return make(settings.slack, WORDINGS[settings.alerts.language])
