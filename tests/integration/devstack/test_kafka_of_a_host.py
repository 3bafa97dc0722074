"""The settings and the unit of a Kafka that people install on their own machine, as docs/OPERATING.md says."""

import re
import subprocess
from pathlib import Path

import pytest
from aiokafka.structs import TopicPartition

from devstack import launch
from devstack.jars import class_path
from devstack.kafka_server import java, kafka_id
from devstack.places import cache_directory
from devstack.ports import Port
from devstack.server import silent
from shared.kafka import PartitionReader, create_topics, wait_until_reachable
from shared.settings import KafkaSettings
from shared.topics import TOPICS, TRADES

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180)]
ROOT = Path(__file__).parents[3]
SETTINGS, UNIT = ROOT / "deploy/kafka/server.properties", ROOT / "deploy/kafka/kafka.service"


@pytest.mark.long
async def test_one_node_is_formatted_starts_and_takes_our_topics_and_positions(data_directory: Path) -> None:
    client, controller = (Port().pick("Kafka") for _ in range(2))
    text = SETTINGS.read_text(encoding="utf-8").replace(":9092", f":{client}").replace(":9093", f":{controller}")
    mine = data_directory / "server.properties"
    mine.write_text(text.replace("/var/lib/kafka", str(data_directory)), encoding="utf-8")
    program = [java(), "-Xmx512m", "-XX:+UseSerialGC", "-cp", ":".join(map(str, class_path(cache_directory(), silent)))]
    format_ = ["format", "--standalone", "--ignore-formatted", "--cluster-id", kafka_id(), "--config", str(mine)]
    for _ in range(2):
        status, said = launch.run([*program, "kafka.tools.StorageTool", *format_])
        assert status == 0, said
    broker = launch.spawn([*program, "kafka.Kafka", str(mine)], log=data_directory / "log")
    try:
        settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{client}")
        await wait_until_reachable(settings, 120)
        assert len(await create_topics(settings)) == len(TOPICS)
        reader, place = PartitionReader(settings, "test", group_id="tapewatch-redis"), TopicPartition(TRADES.name, 0)
        await reader.start({place: 0})
        await reader.advise({place: 0})
        assert await reader.advised([place]) == {place: 0}
        await reader.close()
    finally:
        broker.terminate()
        ended = broker.wait(60)
    assert f"SuccessExitStatus={ended}" in UNIT.read_text(encoding="utf-8")


def test_the_unit_is_one_and_is_about_the_paths_that_the_page_names(tmp_path: Path) -> None:
    program = tmp_path / "kafka-server-start.sh"
    program.touch(mode=0o755)
    unit, page = UNIT.read_text(encoding="utf-8"), (ROOT / "docs/OPERATING.md").read_text(encoding="utf-8")
    there = tmp_path / "kafka.service"
    there.write_text(unit.replace("/opt/kafka/bin/kafka-server-start.sh", str(program)), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(there)], check=False, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert re.findall(r"^User=(.*)$", unit, re.MULTILINE) == ["kafka"]
    for name in (
        "/opt/kafka",
        "/etc/kafka",
        "useradd --system --user-group",
        "-d -o kafka -g kafka -m 750 /var/lib/kafka",
    ):
        assert name in page
    for file in (SETTINGS, UNIT):
        assert f"install -m 644 deploy/kafka/{file.name} " in page
