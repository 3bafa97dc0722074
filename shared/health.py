"""What a process shows of itself on METRICS__PORT: `/metrics`, and `/livez` and `/readyz` for whoever keeps it.

`/livez` is about starting over: a producer whose exchange or Kafka is away for hours lives, for what it holds would be
lost. `/readyz` is about doing its work, which that one does not.

Served by a thread, so that a loop that hangs is seen to hang.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from shared import metrics
from shared.errors import WrongUse
from shared.liveness import Liveness
from shared.redaction import without_secrets
from shared.settings import MetricsSettings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """A probe a second is no news."""


def serve(settings: MetricsSettings, liveness: Liveness) -> None:
    """Listen until the process ends, which would take half a second longer if it waited for the server to notice.

    Without a port, or with 0, nothing. Raises WrongUse when the port cannot be had.
    """
    if not settings.port:
        return
    try:
        server = make_server(settings.host, settings.port, _application(liveness), ThreadingWSGIServer, _Quiet)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise WrongUse(f"TAPEWATCH_METRICS__PORT: {where} cannot be listened on: {error.strerror}") from None
    metrics.STILL.set_function(lambda: liveness.still_s)
    metrics.WAITS.set_function(lambda: liveness.waits_s)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()


def _application(liveness: Liveness) -> "WSGIApplication":
    page_of_metrics, started_at = make_wsgi_app(), round(time.time(), 3)
    verdicts: dict[str, Callable[[], bool]] = {
        "/livez": lambda: liveness.is_alive,
        "/readyz": lambda: liveness.serves,
    }

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        verdict = verdicts.get(environ["PATH_INFO"])
        if verdict is None:
            page: Iterable[bytes] = page_of_metrics(environ, start_response)
            return page
        state = {
            "started_at": started_at,
            "ready": liveness.is_ready,
            "still_s": round(liveness.still_s, 1),
            "waits_s": round(liveness.waits_s, 1),
            "status": without_secrets(liveness.says),
        }
        code = "200 OK" if verdict() else "503 Service Unavailable"
        start_response(code, [("Content-Type", "application/json")])
        return [json.dumps(state).encode() + b"\n"]

    return answer
