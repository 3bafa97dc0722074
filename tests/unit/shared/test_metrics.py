import socket
from urllib.request import urlopen

import pytest
from prometheus_client import REGISTRY

from shared import metrics
from shared.errors import WrongUse


def test_metrics_are_shown_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = []
    monkeypatch.setattr(
        metrics, "start_http_server", lambda *a, _=metrics.start_http_server, **k: servers.append(_(*a, **k))
    )
    before = REGISTRY.get_sample_value("tapewatch_gaps_total", {"exchange": "upbit"}) or 0
    metrics.GAPS.labels("upbit").inc()
    metrics.serve(0)
    server, thread = servers[0]
    with urlopen(f"http://127.0.0.1:{server.server_port}/metrics") as response:
        text = response.read().decode()
    server.shutdown()
    server.server_close()
    thread.join()
    assert f'tapewatch_gaps_total{{exchange="upbit"}} {before + 1}' in text


def test_no_port_no_endpoint() -> None:
    metrics.serve(None)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WrongUse, match=f"TAPEWATCH_METRICS__PORT: 127.0.0.1:{port} .*in use"):
            metrics.serve(port)
