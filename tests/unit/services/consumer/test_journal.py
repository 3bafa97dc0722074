import json
from pathlib import Path

from services.consumer.batch import Batch, Slice
from services.consumer.journal import Journal

BATCH = Batch("b", (Slice("tape.trades.v1", 3, 5, 8, [5, 7], []), Slice("tape.trades.v1", 4, 0, 1, [0], [])))


def test_each_written_batch_is_a_line_that_is_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, "redis") as journal:
        journal.wrote(BATCH, 17)
        journal.wrote(BATCH, 18)

        lines = [json.loads(line) for line in path.read_text().splitlines()]

    slices = [["tape.trades.v1", 3, 5, 8], ["tape.trades.v1", 4, 0, 1]]
    assert lines == [{"sink": "redis", "done_at_us": at, "slices": slices} for at in (17, 18)]


def test_a_second_process_adds_to_the_journal_of_the_first(tmp_path: Path) -> None:
    for _ in range(2):
        with Journal(tmp_path / "journal", "redis") as journal:
            journal.wrote(BATCH, 17)

    assert len((tmp_path / "journal").read_text().splitlines()) == 2
