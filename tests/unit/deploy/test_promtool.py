"""Prometheus' own tool reads our files: collected where it is installed, as `.ci/run` sees to."""

import subprocess

import pytest

from tests.unit.deploy.test_observe import OBSERVE, RULES


def says(*arguments: str) -> str:
    """What the tool makes of our files; fails with its words."""
    done = subprocess.run(["promtool", *arguments], check=False, capture_output=True, text=True, cwd=OBSERVE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("file", sorted(path.name for path in OBSERVE.glob("prometheus*.yaml")))
def test_prometheus_itself_takes_the_configuration_and_all_rules(file: str) -> None:
    assert f"{len(RULES)} rules found" in says("check", "config", file)


def test_alerts_fire_on_the_figures_that_they_are_for_and_on_no_others() -> None:
    assert "SUCCESS" in says("test", "rules", "rules.test.yaml")
