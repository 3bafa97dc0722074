"""Jars are run only if they are what was published."""

import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from jgo.maven import MavenContext
from requests.exceptions import SSLError

from devstack import jars
from devstack.jars import ChangedJar, Jar, class_path, read_list
from devstack.server import silent
from shared.errors import Unreachable


def make_jar(cache: Path, name: str = "a", content: bytes = b"as published") -> Jar:
    jar = Jar("org.example", name, "1.0", hashlib.sha256(b"as published").hexdigest())
    (cache / "kafka").mkdir(parents=True, exist_ok=True)
    (cache / "kafka" / jar.file_name).write_bytes(content)
    return jar


def test_the_list_names_every_jar_of_one_kafka_once_with_its_hash() -> None:
    listed = read_list(jars.LIST.read_text(encoding="ascii"))
    assert len({jar.file_name for jar in listed}) == len(listed) > 40
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in listed)
    assert len({jar.version for jar in listed if jar.group == "org.apache.kafka"}) == 1


def test_a_comment_is_not_a_jar() -> None:
    assert read_list("# jars\n\norg.x:y:1.2 00ff\n") == (Jar("org.x", "y", "1.2", "00ff"),)


def test_jars_as_published_make_the_class_path(tmp_path: Path) -> None:
    wanted = [make_jar(tmp_path, "a"), make_jar(tmp_path, "b")]
    assert [path.name for path in class_path(tmp_path, silent, wanted)] == ["a-1.0.jar", "b-1.0.jar"]


def test_a_jar_that_was_changed_before_the_first_check_is_refused_in_one_line(tmp_path: Path) -> None:
    jar = make_jar(tmp_path, content=b"not as published")
    with pytest.raises(ChangedJar) as refusal:
        class_path(tmp_path, silent, [jar])
    assert "a-1.0.jar is not the published org.example:a:1.0" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_jar_that_was_changed_later_is_refused_although_size_and_time_are_the_same(tmp_path: Path) -> None:
    jar = make_jar(tmp_path)
    path = class_path(tmp_path, silent, [jar])[0]
    before = path.stat()
    path.write_bytes(b"AS PUBLISHED")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    with pytest.raises(ChangedJar):
        class_path(tmp_path, silent, [jar])


def test_a_refused_jar_stays_refused(tmp_path: Path) -> None:
    jar = make_jar(tmp_path, content=b"not as published")
    for _ in range(2):
        with pytest.raises(ChangedJar):
            class_path(tmp_path, silent, [jar])


def test_an_unchanged_jar_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = make_jar(tmp_path)
    hashed: list[str] = []
    verify = jars.verify
    monkeypatch.setattr(jars, "verify", lambda path, one: (hashed.append(path.name), verify(path, one)))
    for _ in range(3):
        class_path(tmp_path, silent, [jar])
    assert hashed == ["a-1.0.jar"]


def test_a_new_hash_in_the_list_is_held_against_the_old_file(tmp_path: Path) -> None:
    jar = make_jar(tmp_path)
    class_path(tmp_path, silent, [jar])
    with pytest.raises(ChangedJar):
        class_path(tmp_path, silent, [Jar(jar.group, jar.artifact, jar.version, "0" * 64)])


def test_a_broken_stamp_means_hashing_again(tmp_path: Path) -> None:
    jar = make_jar(tmp_path)
    class_path(tmp_path, silent, [jar])
    (tmp_path / "kafka" / "checked.json").write_bytes(b"{")
    assert len(class_path(tmp_path, silent, [jar])) == 1


def test_a_proxy_whose_certificate_nobody_knows_is_told_with_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise SSLError("self-signed certificate in certificate chain")

    monkeypatch.setattr(MavenContext, "project", lambda *_: SimpleNamespace(at_version=refuse))
    with pytest.raises(Unreachable, match=r"cannot download a-1\.0\.jar .*REQUESTS_CA_BUNDLE.*BOOTSTRAP_SERVERS"):
        class_path(tmp_path, silent, [Jar("org.example", "a", "1.0", "0" * 64)])
