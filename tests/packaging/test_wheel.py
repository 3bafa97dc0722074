"""What is in the wheel is all that a host gets."""

from pathlib import Path
from zipfile import ZipFile

from tests.packaging.conftest import REPOSITORY


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = {
        str(path.relative_to(REPOSITORY))
        for package in ("services", "shared", "devstack")
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert packed == sources
    assert {".sql", ".html"} <= {Path(name).suffix for name in packed}
