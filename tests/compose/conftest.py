"""One deployment for all drills, and at the end what was measured."""

from collections.abc import Iterator

import pytest

from tests.compose.deployment import Deployment

_KEY = pytest.StashKey[dict[str, str]]()


@pytest.fixture(scope="session")
def deployed(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """Everything up and healthy."""
    one = Deployment()
    request.config.stash[_KEY] = one.figures
    try:
        one.up()
        yield one
    finally:
        one.down()


@pytest.fixture
def before(deployed: Deployment) -> Iterator[int]:
    """How many messages the ops channel has when the drill begins, all being well; afterwards all is well again."""
    deployed.until_healthy()
    yield len(deployed.slack("tapewatch-ops"))
    deployed.until_healthy()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the figures below the results."""
    for what, figure in config.stash.get(_KEY, {}).items():
        terminalreporter.write_line(f"{what:60} {figure}")
