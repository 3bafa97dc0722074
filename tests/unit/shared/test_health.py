import json
import socket
import threading
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client import REGISTRY

from shared import health, metrics
from shared.errors import WrongUse
from shared.liveness import Lack, Liveness
from shared.settings import MetricsSettings


class Served:
    """A process that shows itself; `at_s` is its clock."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.at_s = 0.0
        self.liveness = Liveness(lambda: self.at_s, within_s=10, start_within_s=60)
        health.serve(MetricsSettings(port=self.port), self.liveness)

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def served() -> Served:
    return Served()


def test_metrics_are_shown_on_loopback(served: Served) -> None:
    before = REGISTRY.get_sample_value("tapewatch_gaps_total", {"exchange": "upbit"}) or 0
    metrics.GAPS.labels("upbit").inc()
    assert f'tapewatch_gaps_total{{exchange="upbit"}} {before + 1}' in served.ask("/metrics")[1]


def test_a_process_lives_from_the_start_and_is_ready_once_it_got_on(served: Served) -> None:
    assert served.ask("/livez")[0] == 200
    assert served.ask("/readyz")[0] == 503
    served.liveness.moved("5 records/s")
    code, text = served.ask("/readyz")
    assert code == 200
    state = json.loads(text)
    assert state.pop("started_at") > 0
    assert state == {"ready": True, "still_s": 0.0, "waits_s": 0.0, "status": "5 records/s"}


def test_a_process_that_stands_still_neither_lives_nor_is_ready(served: Served) -> None:
    served.liveness.moved()
    served.at_s = 10.5
    assert [served.ask(path)[0] for path in ("/livez", "/readyz")] == [503, 503]


def test_who_only_waits_for_too_long_lives_and_does_not_serve(served: Served) -> None:
    served.liveness.moved()
    for at_s in (10.0, 20.0, 30.0, 35.0):
        served.at_s = at_s
        served.liveness.waits("Kafka is away")
        assert served.ask("/livez")[0] == 200
        assert served.ask("/readyz")[0] == (200 if at_s <= 30.0 else 503)
    assert json.loads(served.ask("/readyz")[1])["waits_s"] == 35.0
    served.liveness.lacks(Lack("Kafka", "it does not answer"))
    assert (
        json.loads(served.ask("/livez")[1])["status"] == "waiting for Kafka for 35 s: it does not answer; Kafka is away"
    )
    assert "tapewatch_waits_seconds 35.0" in served.ask("/metrics")[1]

    served.liveness.moved("5 records/s")
    assert served.ask("/readyz")[0] == 200


@pytest.mark.parametrize("port", [None, 0])
def test_no_port_no_endpoint(port: int | None) -> None:
    before = threading.active_count()
    health.serve(MetricsSettings(port=port), Liveness(float, 1, 1))
    assert threading.active_count() == before


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WrongUse, match=f"TAPEWATCH_METRICS__PORT: 127.0.0.1:{port} .*in use"):
            health.serve(MetricsSettings(port=port), Liveness(float, 1, 1))
