"""Prepares the demo's Redis: users who may do what their work needs and no more."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from redis.asyncio import Redis

from services.cli.demo.database import with_user, write_secret
from services.consumer.sinks.redis_rights import Role, rules
from shared.settings import RedisSettings


async def create_redis_user(settings: RedisSettings, role: Role, file: Path) -> None:
    """Create a user with the rights of a role, for good; write its URL to `file`, which its owner alone may read."""
    url, user, password = settings.url.get_secret_value(), f"demo-{role}", secrets.token_hex(16)
    async with Redis.from_url(url) as redis:
        execute: Callable[..., Awaitable[object]] = redis.execute_command
        await execute("ACL", "SETUSER", user, *rules(role, password).split())
        await execute("ACL", "SAVE")
    write_secret(file, with_user(url, user, password))
