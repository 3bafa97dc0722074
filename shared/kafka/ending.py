"""Ending a Kafka producer within seconds, also when Kafka stands still."""

import asyncio

from aiokafka import AIOKafkaProducer

_WITHIN_S = 2.0
_ABANDONED_WITHIN_S = 60.0
"""Longer than a connection that is just being made may take (`request_timeout_ms`)."""


async def discard(producer: AIOKafkaProducer) -> None:
    """Close a producer for good: nothing of it reaches Kafka afterwards. What is not acknowledged then is given up.

    Raises TimeoutError when it cannot be ended, and then nothing but the end of the process does.
    """
    try:
        async with asyncio.timeout(_WITHIN_S):
            await producer.stop()
    except TimeoutError:
        async with asyncio.timeout(_ABANDONED_WITHIN_S):
            await _abandon(producer)


async def _abandon(producer: AIOKafkaProducer) -> None:
    """End what stop() waits for without end: batches that cannot arrive.

    The client's own ways to close wait as well: until what is written has been taken, and for news of the cluster that
    nobody asks for any more.
    """
    client = producer.client
    client._maybe_wait_metadata = client._get_conn = _nothing
    for connection in client._conns.values():
        if connection.connected():
            connection._writer.transport.abort()
    await client.close()
    if client._md_update_fut is not None:
        client._md_update_fut.set_result(False)
    await producer._sender.close()


async def _nothing(*_: object, **__: object) -> None:
    return None
