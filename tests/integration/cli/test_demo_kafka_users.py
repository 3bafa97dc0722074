"""The demo's Kafka: whoever works there logs in, and may do what its role needs and no more."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from devstack.stack import Options, ServerAddresses, Stack
from services.cli.demo.kafka_users import ROLES, create_kafka_users
from shared.errors import WrongUse
from shared.kafka import check_rights, create_topics, wait_until_reachable
from shared.rights import Role
from shared.settings import KafkaSettings, load_settings

pytestmark = [pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]
Users = Mapping[Role, Mapping[str, str]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def users(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Users]:
    given = ServerAddresses(postgres="postgresql://nobody", redis="redis://nobody")
    async with Stack(given=given, options=Options(kafka_logins=True)) as stack:
        assert stack.kafka_logins is not None
        administrator = KafkaSettings(bootstrap_servers=stack.kafka_bootstrap_servers)
        await wait_until_reachable(administrator, 60)
        await create_topics(administrator)
        yield await create_kafka_users(administrator, stack.kafka_logins, tmp_path_factory.mktemp("users"))


def _login(told: Mapping[str, str]) -> KafkaSettings:
    return load_settings(told).kafka


async def test_each_role_has_its_rights(users: Users) -> None:
    for role in ROLES:
        await check_rights(_login(users[role]), role)


async def test_nobody_has_more(users: Users) -> None:
    with pytest.raises(WrongUse, match="Kafka does not let demo-reader do what this needs"):
        await check_rights(_login(users["reader"]), "producer")
    with pytest.raises(WrongUse, match="Kafka does not let demo-producer do what this needs"):
        await check_rights(_login(users["producer"]), "alert-worker")


async def test_passwords_are_their_owners_alone_and_another_is_refused(users: Users) -> None:
    file = Path(users["producer"]["TAPEWATCH_KAFKA__SASL_PASSWORD_FILE"])
    assert os.stat(file).st_mode & 0o077 == 0
    somebody_elses = _login(users["reader"]).sasl_password
    guessed = _login(users["producer"]).model_copy(update={"sasl_password": somebody_elses})
    with pytest.raises(WrongUse, match="Kafka refuses us"):
        await asyncio.wait_for(wait_until_reachable(guessed, 5), 20)
