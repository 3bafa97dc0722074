"""Kafka starts from an archive of its classes once a broker has listed them, and without one whatever is wrong."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import class_archive
from devstack.jars import class_path
from devstack.kafka_server import Kafka, java
from devstack.places import cache_directory
from devstack.server import Server, silent

pytestmark = [pytest.mark.servers, pytest.mark.timeout(120)]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The machine's jars, in a cache that has no archive."""
    (tmp_path / "kafka").mkdir()
    for jar in class_path(cache_directory(), silent):
        (tmp_path / "kafka" / jar.name).hardlink_to(jar)
    return tmp_path


@pytest.fixture
def server(cache: Path, data_directory: Path) -> Iterator[Server]:
    server = Server(Kafka(data_directory / "kafka", cache=cache))
    yield server
    server.stop()


def grow_old(listed: Path) -> None:
    a_minute_ago = time.time() - 60
    os.utime(listed, (a_minute_ago, a_minute_ago))


@pytest.mark.long
def test_a_broker_lists_a_later_one_reads_the_archive_and_a_broken_one_is_done_without(
    cache: Path, server: Server
) -> None:
    server.start()
    server.restart()
    assert not list((cache / "kafka").glob("*.jsa")), "the first may still have been loading"
    server.stop()
    for listed in (cache / "kafka").glob("*.list"):
        grow_old(listed)
    server.start()
    [archive] = (cache / "kafka").glob("*.jsa")
    assert str(archive) in Path(f"/proc/{server.pid}/maps").read_text()
    assert not list((cache / "kafka").glob("*.list"))
    server.stop()
    archive.write_bytes(b"no archive")
    server.start()


def old_list(cache: Path, text: str) -> Path:
    """What a broker that is gone listed."""
    [listing] = class_archive.listing(cache / "kafka", java(), class_path(cache, silent))
    listed = Path(listing.partition("=")[2].replace("%p", "pid1"))
    listed.write_text(text)
    grow_old(listed)
    return listed


def test_a_list_of_nonsense_makes_no_archive_and_is_gone(cache: Path) -> None:
    listed = old_list(cache, "java/lang/Object id: 0\njava/lang/Object id: 0\n")
    jars = class_path(cache, silent)
    class_archive.make_if_listed(cache / "kafka", java(), jars, silent)
    assert class_archive.reading(cache / "kafka", java(), jars) == []
    assert not listed.exists()


def test_where_no_time_is_left_to_make_it_kafka_starts_without(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_archive, "_LIMIT_S", 0.001)
    old_list(cache, "java/lang/Object id: 0\n")
    jars = class_path(cache, silent)
    class_archive.make_if_listed(cache / "kafka", java(), jars, silent)
    assert class_archive.reading(cache / "kafka", java(), jars) == []
    assert {left.suffix for left in (cache / "kafka").glob("classes-*")} == {".lock"}
