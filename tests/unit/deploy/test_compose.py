"""The Compose file's promises that can be read off it; what needs Docker is in tests/compose."""

import re

import pytest

from shared.settings import load_settings
from shared.topics import TOPICS
from tests.unit.deploy.compose_file import (
    COMPOSE,
    REDPANDA,
    REPOSITORY,
    Service,
    as_written,
    lasting,
    mounts,
    parts,
    read,
    services,
    variables,
)

SERVICES = services()
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
UNITS = REPOSITORY / "deploy" / "systemd"
# https://docs.redpanda.com, "Topic Configuration Properties" of 26.1: those that we set.
REDPANDA_KNOWS = {
    "cleanup.policy",
    "max.message.bytes",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.ms",
}
every_service = pytest.mark.parametrize("name", SERVICES)
every_lasting = pytest.mark.parametrize("name", lasting())
every_part = pytest.mark.parametrize("name", parts())


@every_service
def test_it_can_change_nothing_and_take_no_more_than_its_share(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "privileged" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert 0 < service["pids_limit"] <= 512
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
    assert not [volume for volume in mounts(service) if "/" in volume], "nothing of the host is mounted"


@every_service
def test_its_image_is_pinned(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].rpartition(":")
    assert image
    assert re.fullmatch(r"v?\d+(\.\d+){1,2}", tag)


def test_the_image_is_built_from_pinned_parts_and_runs_as_nobody_in_particular() -> None:
    assert re.search(r"^ARG PYTHON=python:\d+\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    installs = [line for line in DOCKERFILE.splitlines() if "-r requirements/" in line]
    assert len(installs) == 2
    assert all("--require-hashes" in line for line in installs)
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)


@every_lasting
def test_it_comes_back_and_says_how_it_is(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "always"
    if name in parts():
        assert "healthcheck" not in service, "the image's own asks for progress"
    else:
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
        assert service["healthcheck"]["start_period"]


def test_the_parts_health_is_their_progress() -> None:
    assert re.search(r"^HEALTHCHECK .*CMD \[\"healthy\"\]$", DOCKERFILE, re.MULTILINE)
    assert "/readyz" in (REPOSITORY / "deploy/compose/healthy").read_text(encoding="utf-8")


@every_service
def test_ports_are_on_loopback_and_can_be_moved(name: str) -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
        inside = port.rpartition(":")[2]
        assert re.search(rf'"\$\{{BIND_ADDRESS:-127\.0\.0\.1\}}:\$\{{\w+_PORT:-\d+\}}:{inside}"', text)


def test_every_part_of_systemd_is_here_with_the_same_limit() -> None:
    here = {name: tuple(service["command"]) for name, service in parts().items()}
    for unit in UNITS.glob("*.service"):
        text = unit.read_text(encoding="utf-8")
        if "Type=oneshot" in text:
            continue
        [what] = re.findall(r"^ExecStart=/opt/tapewatch/bin/tapewatch (\S+)", text, re.MULTILINE)
        named = [name for name, command in here.items() if command[0] == what]
        assert named, f"{unit.name} has no service in {COMPOSE.name}"
        [limit] = re.findall(r"^MemoryMax=(\d+)M$", text, re.MULTILINE)
        assert {SERVICES[name]["mem_limit"] for name in named} == {f"{limit}m"}
    assert {command for command in here.values() if command[0] in {"producer", "consumer"}} == {
        ("producer", "upbit"),
        ("producer", "binance"),
        ("consumer", "redis"),
        ("consumer", "postgres"),
    }


def test_the_watchdog_asks_every_part_of_the_tape() -> None:
    watched = {name for name, service in parts().items() if "profiles" not in service} - {"watchdog"}
    probes = load_settings(_settings(SERVICES["watchdog"])).watchdog.probes
    assert dict(probes) == {name: f"http://{name}:9464" for name in watched}


@every_service
def test_every_setting_is_one(name: str) -> None:
    environment = _settings(SERVICES[name])
    load_settings(environment)  # raises for what is no setting, and for what no setting takes
    assert not [key for key in environment if re.search("TOKEN|SECRET|PASSWORD", key) and not key.endswith("_FILE")]


def _settings(service: Service) -> dict[str, str]:
    """The settings of a service as it is given them; secrets are files that are there and empty."""
    empty = REPOSITORY / "deploy/compose/not-set"
    given: dict[str, str] = {}
    for key, value in service.get("environment", {}).items():
        if key.endswith("_FILE"):
            assert value.startswith(("/run/secrets/", "/secrets/", "/etc/tapewatch/"))
        if key.startswith("TAPEWATCH_"):
            given[key] = str(empty) if key.endswith("_FILE") else str(value or "")
    return given


def test_a_secret_that_nobody_gave_is_an_empty_file() -> None:
    assert (REPOSITORY / "deploy/compose/not-set").read_bytes() == b""
    for name, secret in (read(COMPOSE)["secrets"] | {"rules": read(COMPOSE)["configs"]["rules"]}).items():
        assert secret == {"file": "deploy/compose/not-set"}, name


@every_lasting
def test_a_service_is_another_when_a_file_that_it_is_given_is_named_anew(name: str) -> None:
    written = as_written()
    service = written["services"][name]
    secrets = [written["secrets"][secret]["file"] for secret in service.get("secrets", ())]
    configs = [written["configs"][config["source"]]["file"] for config in service.get("configs", ())]
    assert {file for file in (*secrets, *configs) if "${" in file} == set(service.get("labels", {}).values())


def test_every_file_that_a_service_is_given_is_there() -> None:
    configs = read(COMPOSE)["configs"]
    assert all((REPOSITORY / config["file"]).is_file() for config in configs.values())
    given = {source["source"] for service in SERVICES.values() for source in service.get("configs", ())}
    assert given == configs.keys()


def test_prometheus_asks_every_part_and_grafana_asks_prometheus() -> None:
    observe = REPOSITORY / "deploy/observe"
    [job] = read(observe / "prometheus.yaml")["scrape_configs"]
    asked = {target.removesuffix(":9464") for of_one in job["static_configs"] for target in of_one["targets"]}
    assert asked == {name for name, service in parts().items() if "profiles" not in service}
    [source] = read(observe / "grafana/datasource.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    [provider] = read(observe / "grafana/dashboards.yaml")["providers"]
    given = {one["source"]: one["target"] for one in SERVICES["grafana"]["configs"]}
    assert given["grafana-tapewatch"].startswith(provider["options"]["path"] + "/")


def test_each_password_reaches_those_who_need_it_and_nobody_else() -> None:
    audiences: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for volume in mounts(service):
            if volume.endswith("-secret"):
                audiences.setdefault(volume, set()).add(name)
                assert name == "secrets" or mounts(service)[volume].endswith(":ro")
    assert audiences == {
        "postgres-owner-secret": {"secrets", "postgres", "migrate"},
        "postgres-writer-secret": {"secrets", "migrate", "consumer-postgres"},
        "postgres-reader-secret": {"secrets", "migrate", "tapewatch"},
        "redis-users-secret": {"secrets", "redis"},
        "redis-writer-secret": {"secrets", "consumer-redis"},
        "redis-reader-secret": {"secrets", "tapewatch"},
    }


@every_part
def test_only_who_must_speak_to_the_outside_can(name: str) -> None:
    outside = {"producer-upbit", "producer-binance", "alert-worker", "watchdog", "deadman", "simulator"}
    assert ("outside" in SERVICES[name]["networks"]) == (name in outside)
    assert "loopback" not in SERVICES[name]["networks"]


def test_what_runs_once_is_waited_for_or_up_would_call_its_end_a_failure() -> None:
    waited = {
        name
        for service in SERVICES.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    once = {name for name, service in SERVICES.items() if service["restart"] == "no" and "profiles" not in service}
    assert waited == once == {"secrets", "topics", "migrate"}


def test_the_example_lists_every_variable_with_its_default_and_no_other() -> None:
    text = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    assert dict(re.findall(r"^#(\w+)=(.*)$", text, re.MULTILINE)) == variables()
    assert not re.search(r"^\w+=", text, re.MULTILINE), "what stands in the example is not in force"


def test_the_demo_sets_variables_that_there_are() -> None:
    lines = (REPOSITORY / "deploy/compose/demo.env").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert given.keys() - variables().keys() == {"COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"}
    assert all("simulator:8080" in value for key, value in given.items() if key.endswith("_URL"))
    token = REPOSITORY / given["TAPEWATCH_SLACK__BOT_TOKEN_FILE"]
    assert token.read_text(encoding="utf-8").strip() == "xoxb-simulated"


def test_redpanda_takes_kafkas_place_and_knows_every_setting_of_our_topics() -> None:
    [(name, service)] = read(REDPANDA)["services"].items()
    assert name == "kafka"
    assert re.fullmatch(r"redpandadata/redpanda:v\d+\.\d+\.\d+", service["image"])
    assert {"--smp=1", "--overprovisioned", "--memory=768M"} <= set(service["command"])
    addresses = [argument for argument in service["command"] if "kafka-addr" in argument]
    assert addresses == [
        "--kafka-addr=inside://0.0.0.0:9092,outside://0.0.0.0:9094",
        "--advertise-kafka-addr=inside://kafka:9092,outside://127.0.0.1:9092",
    ]
    assert {key for topic in TOPICS for key in topic.config()} <= REDPANDA_KNOWS
