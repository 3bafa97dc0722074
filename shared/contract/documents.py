"""The contract as files: a JSON Schema for each event, and one AsyncAPI document of all topics."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from shared.contract.models import MODEL_OF_EVENT
from shared.topics import TOPICS, Topic
from shared.wire import SCHEMA_HEADER, SCHEMA_OF_EVENT

_KEY_OF_TOPIC = {
    "tape.feed.v1": "exchange",
    "tape.alerts.v1": "episode id",
    "tape.notifications.v1": "episode id",
    "tape.control.v1": "what it acts on",
    "tape.dead-letters.v1": None,
}


class _WithoutFieldTitles(GenerateJsonSchema):
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def documents() -> dict[str, str]:
    """The text of every file, by its name."""
    files = {_schema_file(topic): _schema(topic) for topic in TOPICS} | {"asyncapi.json": _asyncapi()}
    return {name: json.dumps(content, indent=2, ensure_ascii=False) + "\n" for name, content in files.items()}


def _schema_file(topic: Topic) -> str:
    return SCHEMA_OF_EVENT[topic.event].replace("/", ".") + ".schema.json"


def _schema(topic: Topic) -> dict[str, Any]:
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | MODEL_OF_EVENT[topic.event].model_json_schema(schema_generator=_WithoutFieldTitles)


def _asyncapi() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "tapewatch",
            "version": "1",
            "description": "What trades on Upbit and Binance, and what is abnormal about it, on Kafka.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
    }


def _channel(topic: Topic) -> dict[str, Any]:
    config = topic.config()
    kept: dict[str, Any] = {"cleanup.policy": [config["cleanup.policy"]]}
    kept |= {key: int(config[key]) for key in ("retention.ms", "retention.bytes") if key in config}
    return {
        "address": topic.name,
        "messages": {topic.event.__name__: _message(topic)},
        "bindings": {"kafka": {"partitions": topic.partitions, "topicConfiguration": kept, "bindingVersion": "0.5.0"}},
    }


def _message(topic: Topic) -> dict[str, Any]:
    header = {"type": "string", "const": SCHEMA_OF_EVENT[topic.event]}
    message: dict[str, Any] = {
        "headers": {"type": "object", "properties": {SCHEMA_HEADER: header}, "required": [SCHEMA_HEADER]},
        "payload": {"$ref": f"./{_schema_file(topic)}"},
    }
    key = _KEY_OF_TOPIC.get(topic.name, "exchange:symbol")
    if key is not None:
        message["bindings"] = {"kafka": {"key": {"type": "string", "description": key}, "bindingVersion": "0.5.0"}}
    return message
