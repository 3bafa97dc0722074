"""The published contract on disk is what the code says."""

import json
import re
from pathlib import Path

import pytest

from shared.contract.documents import documents
from shared.topics import TOPICS

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


def test_files_are_those_that_the_code_generates() -> None:
    on_disk = {path.name: path.read_text(encoding="utf-8") for path in SCHEMAS.iterdir()}
    assert on_disk == documents(), "type: python -m shared.contract docs/schemas"


def test_every_topic_and_every_reference_is_there() -> None:
    asyncapi = json.loads(documents()["asyncapi.json"])
    assert set(asyncapi["channels"]) == {topic.name for topic in TOPICS}
    references = set(re.findall(r'"\$ref": "\./([^"]+)"', documents()["asyncapi.json"]))
    assert references == documents().keys() - {"asyncapi.json"}


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("0", True),
        ("0.00077720", True),
        ("93421000", True),
        ("007", False),
        ("1e5", False),
        (".5", False),
        ("-1", False),
    ],
)
def test_pattern_of_a_price_tells_plain_decimals(text: str, sound: bool) -> None:
    price = json.loads(documents()["ticker.1.schema.json"])["properties"]["price"]
    assert bool(re.search(price["pattern"], text)) == sound
