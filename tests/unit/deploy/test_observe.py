"""Rules, scrape configuration and dashboard: every metric that they name is one that a service shows."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Counter, Gauge, Histogram

from shared import metrics

ROOT = Path(__file__).parents[3]
OBSERVE = ROOT / "deploy/observe"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((OBSERVE / "rules.yaml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((OBSERVE / "grafana/tapewatch.json").read_text())
ALERTS = [rule for rule in RULES if "alert" in rule]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]
OF_PROCESSES = {f"process_{name}" for name in ("resident_memory_bytes", "cpu_seconds_total", "start_time_seconds")} | {
    "up"
}
YES_OR_NO = {"tapewatch_standby", "tapewatch_rules_file_refused"}
UNITS = ("_total", "_ratio", "_seconds", "_records", "_bytes")


def shown() -> set[str]:
    """The names of all series."""
    names: set[str] = set()
    for metric in vars(metrics).values():
        if isinstance(metric, Histogram):
            names |= {f"{metric._name}{end}" for end in ("_bucket", "_count", "_sum")}
        elif isinstance(metric, Counter):
            names.add(f"{metric._name}_total")
        elif isinstance(metric, Gauge):
            names.add(metric._name)
    return names


KNOWN = shown() | OF_PROCESSES | {rule["record"] for rule in RULES if "record" in rule}


@pytest.mark.parametrize("expression", sorted(set(EXPRESSIONS)))
def test_every_metric_that_is_named_is_shown(expression: str) -> None:
    bare = re.sub(r'"[^"]*"|\bby \([^)]*\)|\{[^}]*\}', "", expression)
    named = set(re.findall(r"\b(?:tapewatch[_:][\w:]+|process_\w+|up)\b", bare))
    assert named
    assert named <= KNOWN


def test_every_metric_carries_its_unit() -> None:
    base = {re.sub(r"_(bucket|count|sum)$", "", name) for name in shown()}
    assert {name for name in base if not name.endswith(UNITS)} == YES_OR_NO


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_to_type_and_has_an_entry_for_people(rule: dict[str, Any]) -> None:
    assert set(rule["annotations"]) == {"summary", "command"}
    assert rule["labels"]["severity"] in {"warning", "danger"}
    assert f"| `{rule['alert']}` |" in (ROOT / "docs/OPERATING.md").read_text(encoding="utf-8")


def test_prometheus_asks_every_part() -> None:
    [job] = yaml.safe_load((OBSERVE / "prometheus.yaml").read_text())["scrape_configs"]
    asked = {target.partition(":")[0] for target in job["static_configs"][0]["targets"]}
    assert asked <= set(yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"])


def test_the_alerts_that_are_tried_are_ours() -> None:
    groups = yaml.safe_load((OBSERVE / "rules.test.yaml").read_text())["tests"]
    tried = {one["alertname"] for group in groups for one in group["alert_rule_test"]}
    assert tried <= {rule["alert"] for rule in ALERTS}
    assert len(tried) >= 3
