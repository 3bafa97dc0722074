"""The units' promises that can be read off them; what needs a systemd is in tests/systemd."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
ELSEWHERE = "tapewatch-deadman"
"""Where it runs nothing else of the product does."""
SYSTEMD = ROOT / "deploy/systemd"
PORT = re.compile(r"^(#?)(?:Environment=)?.*\bTAPEWATCH_METRICS__PORT=(\d+)", re.MULTILINE)


def ports() -> list[tuple[str, int]]:
    """Each unit's page of metrics; an instance of a template has its port in a drop-in."""
    found = []
    for file in (*SYSTEMD.glob("*.service"), *SYSTEMD.glob("*.service.d/*.conf")):
        unit = (file if file.suffix == ".service" else file.parent).name.partition(".service")[0]
        found += [(unit, int(port)) for _, port in PORT.findall(file.read_text(encoding="utf-8"))]
    return found


def test_every_part_that_stays_has_a_port_of_its_own() -> None:
    example = re.search(r"install\.sh \. (.*?)\n#\n", (SYSTEMD / "install.sh").read_text(encoding="utf-8"), re.DOTALL)
    assert example
    stay = set(re.findall(r"tapewatch-[\w@-]+", example[1])) - {"tapewatch-setup"}
    assert len(stay) == 6
    assert {unit for unit, _ in ports()} == stay | {ELSEWHERE}
    assert len(dict(ports())) == len({port for _, port in ports()}) == len(ports())


def test_what_all_units_read_gives_none_of_them_a_port() -> None:
    assert PORT.findall((SYSTEMD / "tapewatch.env.example").read_text(encoding="utf-8")) == [("#", "0")]


def test_prometheus_asks_each_of_them_by_its_name() -> None:
    [job] = yaml.safe_load((ROOT / "deploy/observe/prometheus.systemd.yaml").read_text())["scrape_configs"]
    asked = {(one["labels"]["part"], target) for one in job["static_configs"] for target in one["targets"]}
    assert asked == {(unit, f"127.0.0.1:{port}") for unit, port in ports() if unit != ELSEWHERE}


def test_the_operators_page_says_where_each_is() -> None:
    page = (ROOT / "docs/OPERATING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(tapewatch-[\w@-]+)` \| (\d+) \|", page, re.MULTILINE)) == {
        (unit, str(port)) for unit, port in ports()
    }


def test_the_installer_brings_the_drop_ins_too() -> None:
    assert "for file in tapewatch*.service.d/*;" in (SYSTEMD / "install.sh").read_text(encoding="utf-8")
