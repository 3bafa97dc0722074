"""Which archive of Kafka's classes a Java reads."""

from pathlib import Path

from devstack import class_archive

JARS = (Path("/jars/kafka.jar"),)


def java_at(home: Path, version: str, modules: bytes = b"modules") -> str:
    (home / "lib").mkdir(parents=True)
    (home / "release").write_text(f'JAVA_VERSION="{version}"\n')
    (home / "lib" / "modules").write_bytes(modules)
    return str(home / "bin" / "java")


def test_the_same_java_of_another_environment_reads_it_and_another_java_lists_anew(tmp_path: Path) -> None:
    one, same = java_at(tmp_path / "a", "25.0.2"), java_at(tmp_path / "b", "25.0.2")
    newer, built_otherwise = java_at(tmp_path / "c", "25.0.3"), java_at(tmp_path / "d", "25.0.2", b"fewer")
    [listing] = class_archive.listing(tmp_path, one, JARS)
    archive = tmp_path / listing.partition("=")[2].replace("-%p.list", ".jsa")
    archive.write_bytes(b"")
    assert class_archive.listing(tmp_path, one, JARS) == [f"-XX:SharedArchiveFile={archive}"]
    assert class_archive.listing(tmp_path, same, JARS) == [f"-XX:SharedArchiveFile={archive}"]
    for other in (newer, built_otherwise):
        assert "-XX:DumpLoadedClassList" in class_archive.listing(tmp_path, other, JARS)[0]
    assert class_archive.reading(tmp_path, one, (*JARS, Path("/jars/more.jar"))) == []
