"""`tapewatch topics …`: the Kafka topics that the services meet on."""

import json
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The Kafka topics that the services meet on.")


@app.callback()
def topics() -> None:
    """The Kafka topics that the services meet on."""


@app.command()
def create(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of sentences.")] = False,
) -> None:
    """Create the topics that are missing. Safe before every start; refuses to go on with another partition count.

    Example: TAPEWATCH_KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:9092 tapewatch topics create
    """
    import asyncio

    from shared import logs
    from shared.kafka import create_topics, wait_until_reachable
    from shared.settings import load_settings
    from shared.topics import TOPICS

    in_force = load_settings()
    logs.configure(in_force.log, "topics-create")

    async def wait_and_create() -> list[str]:
        await wait_until_reachable(in_force.kafka, in_force.start.wait_s)
        return await create_topics(in_force.kafka)

    created = asyncio.run(wait_and_create())
    if as_json:
        typer.echo(json.dumps({"created": created, "topics": [topic.name for topic in TOPICS]}))
        return
    for topic in TOPICS:
        typer.echo(f"{topic.name}\t{'created' if topic.name in created else 'is there'}")
