"""Ending a Kafka client within seconds, also when Kafka stands still."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaConnectionError

_WITHIN_S = 2.0


async def discard(producer: AIOKafkaProducer) -> None:
    """Close a producer for good. What is not acknowledged within two seconds is given up.

    Nothing is sent afterwards; what already lies in a socket's buffers may still arrive.
    """
    transports = _transports(producer)  # of a connection that is being closed the client keeps none
    try:
        async with asyncio.timeout(_WITHIN_S):
            await producer.stop()
    except TimeoutError:
        await _abandon(producer, [*transports, *_transports(producer)])


async def leave(consumer: AIOKafkaConsumer) -> None:
    """Close a consumer for good. What is not answered within two seconds is given up."""
    try:
        async with asyncio.timeout(_WITHIN_S):
            await asyncio.sleep(0)  # a task of start() that never ran would let its cancellation out of stop()
            await consumer.stop()
    except TimeoutError:  # it waited for the group's coordinator, and what comes after that is not closed yet
        rest = [consumer._fetcher.close, consumer._client.close]
        if isinstance(group := consumer._coordinator, GroupCoordinator):
            rest = [group._stop_heartbeat_task, group._stop_commit_offsets_refresh_task, *rest]
        for end in rest:
            with suppress(TimeoutError):
                async with asyncio.timeout(_WITHIN_S / 2):
                    await end()


def _transports(producer: AIOKafkaProducer) -> list[asyncio.WriteTransport]:
    return [one._writer.transport for one in producer.client._conns.values() if one.connected()]


async def _abandon(producer: AIOKafkaProducer, transports: Iterable[asyncio.WriteTransport]) -> None:
    """End what stop() waits for without end: batches that cannot arrive, bytes that nobody takes, and, once the client
    is closed, news of the cluster that nobody asks for any more.
    """
    client, sender = producer.client, producer._sender
    own = [task for task in (client._sync_task, sender.sender_task) if task is not None]
    ending = {*own, *(task for task in asyncio.all_tasks() if _sends_for(sender, task))}
    for task in ending:
        task.cancel()
    for transport in transports:
        transport.abort()
    for connection in client._conns.values():
        connection.close()
    producer._message_accumulator.fail_all(KafkaConnectionError("given up"))
    if ending:
        await asyncio.wait(ending)


def _sends_for(sender: object, task: asyncio.Task[Any]) -> bool:
    """Whether a task is a request of this sender, which keeps no list of them."""
    frame = getattr(task.get_coro(), "cr_frame", None)
    return frame is not None and frame.f_code.co_name == "_send_produce_req" and frame.f_locals.get("self") is sender
