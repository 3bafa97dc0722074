"""Prometheus of the profile `observe` beside the product: it reaches every part, and whatever we ask it has figures."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests.compose.deployment import Deployment, until
from tests.unit.deploy.compose_file import parts
from tests.unit.deploy.test_observe import DASHBOARD, RULES

pytestmark = pytest.mark.timeout(1200)
SHOWN = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
# What an alert looks at, without the bound that it compares with: it must be there before anything happens.
WATCHED = {
    side for rule in RULES if "alert" in rule for side in re.sub(r" [>=]+ [\d.]+", "", rule["expr"]).split(" or ")
}
RECORDED = [rule["record"] for rule in RULES if "record" in rule]
HAS_FIGURES_WITHIN_S = 120


class Prometheus:
    """What its API says."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, what: str, **parameters: str) -> Any:
        with urlopen(f"{self._url}/{what}?{urlencode(parameters)}", timeout=30) as answer:
            return json.load(answer)["data"]

    def figures(self, expression: str) -> list[Any]:
        """The series that an expression gives now."""
        found: list[Any] = self.ask("query", query=expression)["result"]
        return found


@pytest.fixture(scope="module")
def prometheus(deployed: Deployment) -> Iterator[Prometheus]:
    """It goes again afterwards: the other drills count what runs."""
    deployed.compose("--profile", "observe", "up", "--detach", "--wait", "prometheus", within_s=300)
    yield Prometheus(deployed.ports["PROMETHEUS_PORT"])
    deployed.compose("--profile", "observe", "rm", "--stop", "--force", "prometheus")


def test_every_part_is_asked_and_answers(prometheus: Prometheus) -> None:
    def health() -> dict[str, str]:
        return {one["labels"]["part"]: one["health"] for one in prometheus.ask("targets")["activeTargets"]}

    until(lambda: set(health().values()) == {"up"}, HAS_FIGURES_WITHIN_S, lambda: str(health()))
    assert health().keys() == parts().keys() - {"simulator", "deadman"}


def test_every_rule_is_taken_and_evaluated_without_an_error(prometheus: Prometheus) -> None:
    def rules() -> list[dict[str, Any]]:
        return [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]

    until(lambda: {rule["health"] for rule in rules()} == {"ok"}, HAS_FIGURES_WITHIN_S, lambda: str(rules()))
    assert sorted(rule["name"] for rule in rules()) == sorted(rule.get("record") or rule["alert"] for rule in RULES)


@pytest.mark.parametrize("expression", [*RECORDED, *SHOWN, *sorted(WATCHED)])
def test_what_is_recorded_shown_and_watched_has_figures(prometheus: Prometheus, expression: str) -> None:
    until(lambda: bool(prometheus.figures(expression)), HAS_FIGURES_WITHIN_S, lambda: f"nothing for {expression}")
