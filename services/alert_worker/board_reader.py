"""Keeps the board up to date from the topics of tickers and instruments."""

import asyncio
from collections.abc import Iterable

from aiokafka.structs import ConsumerRecord, TopicPartition

from services.alert_worker.board import Board
from services.alert_worker.topic_reader import partitions_of
from shared.clock import NowMicros, now_us
from shared.kafka import PartitionReader
from shared.settings import KafkaSettings
from shared.topics import INSTRUMENTS, TICKERS

_LOOK_BACK_MS = 10 * 60_000
_READ_MS, _MOST_RECORDS = 1_000, 500


async def keep_board(settings: KafkaSettings, board: Board, stop: asyncio.Event, now: NowMicros = now_us) -> None:
    """Read until `stop`: every listing there is, and tickers from some minutes ago on."""
    reader = PartitionReader(settings, "alert-worker-board")
    try:
        await reader.connect()
        listings, tickers = partitions_of(INSTRUMENTS), partitions_of(TICKERS)
        positions = await reader.log_starts(listings)
        positions |= await reader.offsets_since(tickers, now() // 1000 - _LOOK_BACK_MS)
        await reader.start(positions)
        while not stop.is_set():
            for partition, records in (await reader.batch(_READ_MS, _MOST_RECORDS)).items():
                _put(board, partition, records)
    finally:
        await reader.close()


def _put(board: Board, partition: TopicPartition, records: Iterable[ConsumerRecord]) -> None:
    put = board.put_instrument if partition.topic == INSTRUMENTS.name else board.put_ticker
    for record in records:
        if record.key is not None and record.value is not None:
            put(record.key, record.value)
