"""The operator's page: everything that people can be told has an entry."""

import re
from pathlib import Path
from typing import get_args

import pytest

from services.cli.doctor.checks import CHECKS
from services.watchdog.advice import for_units
from services.watchdog.changes import Change, ChangeKind
from services.watchdog.message import OPENS
from services.watchdog.observation import EndKind
from services.watchdog.wording import ENGLISH
from shared.events import FeedKind

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/OPERATING.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())


def entry(kind: str) -> str:
    """What the page says of a change of state."""
    found = re.search(rf"^### `{kind}`\n(.*?)(?=^#)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/OPERATING.md has no entry for {kind}"
    return found[1]


@pytest.mark.parametrize("kind", get_args(ChangeKind))
def test_every_message_of_the_watchdog_has_an_entry_that_begins_with_its_words(kind: ChangeKind) -> None:
    first_words = ENGLISH.headlines[kind].partition(" · ")[0]
    text = entry(kind)
    assert text.startswith(f"*{first_words}"), text
    assert len(text.split()) > 10


@pytest.mark.parametrize("kind", [*sorted(OPENS - {"silent"}), "rebooted", "all_started"])
def test_what_a_message_says_to_type_is_what_its_entry_says(kind: ChangeKind) -> None:
    """Of a silent host the receiver of heartbeats tells."""
    part = "tapewatch" if kind in ("all_stopped", "rebooted", "all_started") else "PART"
    change = Change(part, kind, 0, 0, not_up=["PART"] if part != "PART" else ())
    command = for_units(change, "tapewatch.target").removesuffix(" --no-pager")
    assert f"`{command}`" in " ".join(entry(kind).split())


def test_no_entry_is_about_what_is_never_told() -> None:
    assert set(re.findall(r"^### `(\w+)`", PAGE, re.MULTILINE)) == set(get_args(ChangeKind))


@pytest.mark.parametrize("kind", get_args(EndKind))
def test_every_way_to_end_is_explained(kind: EndKind) -> None:
    assert f"| {ENGLISH.ends[kind].partition('{')[0].strip().removesuffix(':')} |" in PAGE


@pytest.mark.parametrize("kind", get_args(FeedKind))
def test_every_feed_event_is_explained(kind: str) -> None:
    assert re.search(rf"^\|[^|]*`{kind}`", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", sorted({check.name for check in CHECKS}))
def test_every_check_of_doctor_is_named(name: str) -> None:
    assert f"`{name}`" in TEXT.partition("## When `tapewatch doctor` finds something")[2]


@pytest.mark.parametrize("unit", sorted(set(re.findall(r"(?<!//)tapewatch-[a-z-]+@?", PAGE))))
def test_every_unit_on_the_page_exists(unit: str) -> None:
    assert (ROOT / f"deploy/systemd/{unit}.service").exists()
