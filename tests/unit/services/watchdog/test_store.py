"""What the watchdog remembers beyond its process."""

from pathlib import Path

from services.watchdog.outbox import Outbox
from services.watchdog.store import Kept, Store


def test_what_was_saved_is_there_again_and_a_disk_that_takes_nothing_ends_nobody(tmp_path: Path) -> None:
    """A full disk is what people have to be told of: who watches must go on."""
    directory = tmp_path / "state"
    directory.mkdir()
    store, kept = Store(directory, "watchdog", Kept), Kept(outboxes={"slack": Outbox()})
    store.save(kept)
    assert store.load().outboxes.keys() == kept.outboxes.keys()
    (directory / "watchdog.json").unlink()
    directory.rmdir()
    store.save(kept)
    assert store.load() == Kept()
