"""`tapewatch topics …`: the Kafka topics that the services meet on, and who may do what with them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from services.cli.login import UserName, login
from shared.rights import RIGHTS, Right, Role, roles_within

app = typer.Typer(
    no_args_is_help=True, help="The Kafka topics that the services meet on, and who may do what with them."
)


@app.callback()
def topics() -> None:
    """The Kafka topics that the services meet on, and who may do what with them."""


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


@app.command()
def grant(
    role: Annotated[Role, typer.Argument(help="Which of our processes, or `reader`, `operator`, `setup`.")],
    password_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, readable=True, help="The user's password, alone in a file."),
    ] = None,
    user: UserName = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of sentences.")] = False,
) -> None:
    """Give a user of Kafka the rights of a role, and a password (SCRAM-SHA-512). Safe to repeat.

    `reader` is for status, doctor, tail and explain; `operator` may mute alerts and replay dead letters as well;
    `setup` is for topics create. Log in as Kafka's administrator, which none of these is. Without --password-file
    only rights are set: for users that exist, or log in by certificate.

    Example: openssl rand -hex 24 > producer.password; tapewatch topics grant producer --password-file producer.password

    Example: tapewatch topics grant reader --user CN=looker
    """
    import asyncio

    from shared import logs
    from shared.kafka import wait_until_reachable
    from shared.kafka.users import KafkaUsers
    from shared.settings import load_settings

    in_force = load_settings()
    logs.configure(in_force.log, "topics-grant")
    name, password = login(role, user, password_file) if password_file else (user or f"tapewatch-{role}", None)

    async def wait_and_grant() -> tuple[list[Right], list[Right]]:
        await wait_until_reachable(in_force.kafka, in_force.start.wait_s)
        async with KafkaUsers(in_force.kafka) as users:
            if password is not None:
                await users.set_password(name, password)
            held = await users.rights(name)
            given = [right for right in RIGHTS[role] if right not in held]
            await users.allow(name, given)
        return given, list(held)

    given, held = asyncio.run(wait_and_grant())
    beyond = [right for right in held if right not in RIGHTS[role]]
    if as_json:
        told = {"user": name, "password": password is not None, "given": given, "beyond": beyond}
        typer.echo(json.dumps(told, default=str))
        return
    if password is not None:
        typer.echo(f"{name}\tpassword set")
    for right in RIGHTS[role]:
        typer.echo(f"{right}\t{'given' if right in given else 'is there'}")
    others = roles_within(held, role)
    for other in others:
        typer.echo(f"{other}\tits rights are there as well")
    known = {right for other in others for right in RIGHTS[other]}
    for right in beyond:
        if right not in known:
            typer.echo(f"{right}\tis there, and {role} does not need it")
