"""Which extra brings what is missing, and what to type to have it."""

import pytest

from services.cli.extras import missing_extra, source


def test_a_missing_package_names_the_extra_that_brings_it() -> None:
    assert missing_extra("websockets.asyncio", "producer") == "producer"
    assert missing_extra("aiohttp", "alert-worker") == "alert-worker"
    assert missing_extra("alembic", "db") == "migrate"
    assert missing_extra("redis", "status") == "consumer"
    assert missing_extra("services.nothing", "producer") is None


@pytest.mark.parametrize(
    ("direct_url", "arguments"),
    [
        (None, ["tapewatch[producer]"]),
        ('{"url": "file:///srv/a%20b", "dir_info": {"editable": true}}', ["-e", "/srv/a b[producer]"]),
        ('{"url": "file:///srv/tapewatch", "dir_info": {}}', ["tapewatch[producer] @ file:///srv/tapewatch"]),
        ('{"url": "file:///srv/t.whl", "archive_info": {}}', ["tapewatch[producer] @ file:///srv/t.whl"]),
    ],
    ids=["an index", "a checkout", "a folder", "a wheel"],
)
def test_an_extra_comes_from_where_the_program_came_from(direct_url: str | None, arguments: list[str]) -> None:
    assert source(direct_url, "producer") == arguments
