from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from services.simulator.slack.validate import check_message
from services.watchdog import changes, outbox
from services.watchdog.absences import Absences
from services.watchdog.changes import Change, Part
from services.watchdog.message import LINE_LIMIT, Context, render, shortened
from services.watchdog.observation import End, Observation
from services.watchdog.silences import Hosts, hear, look
from services.watchdog.wording import ENGLISH, KOREAN, WORDINGS, Wording

S = 1_000_000
AT_US = 1_790_000_000 * S
CONTEXT = Context("vm1", "journalctl -u x", ["last <words>", "```broken``` <!channel>"])


def test_one_line_says_what_where_and_why() -> None:
    down = render(Change("consumer", "down", AT_US, AT_US - 5 * S, End("signal", "KILL"), restarts=3), CONTEXT, ENGLISH)
    assert down.text == "🔴 DOWN · consumer on vm1: killed by signal KILL"
    assert (down.opens, down.closes) == (True, False)
    back = render(Change("consumer", "back", AT_US, AT_US, down_us=90 * S), CONTEXT, ENGLISH)
    assert back.text == "✅ BACK · consumer on vm1 after 90 s"
    assert (back.opens, back.closes) == (False, True)


def test_what_does_not_get_ready_is_told_with_its_own_word() -> None:
    change = Change("producer", "down", AT_US, AT_US, status="0 of 2 connections up")
    assert (
        render(change, CONTEXT, ENGLISH).text == "🔴 DOWN · producer on vm1: not ready, it says: 0 of 2 connections up"
    )


def test_a_long_line_keeps_what_went_wrong_at_its_end() -> None:
    line = '{"event": "ended by something unforeseen", "exception": "' + "Traceback " * 100 + 'MemoryError"}'
    short = shortened(line)
    assert len(short) == LINE_LIMIT
    assert short.startswith('{"event": "ended by something unforeseen"')
    assert short.endswith('MemoryError"}')
    assert shortened(short) == short


def test_absences_of_one_night_share_a_thread_and_say_how_many_there_were() -> None:
    box, threads, absences = outbox.Outbox(), [], Absences()
    nights = (0, 1, 3, 4, 13, 24)
    for ts, hour in enumerate(nights):
        absences = absences.and_one(AT_US + hour * 3_600 * S)
        change = Change("watchdog", "watchdog_back", AT_US, AT_US, down_us=600 * S, absences=absences)
        message = render(change, CONTEXT, ENGLISH)
        threads.append(outbox.thread_of(box, message))
        box = outbox.told(outbox.add(box, [message]), f"ts{ts}")
        if hour == 4:
            assert message.text == "🟡 WATCHDOG IS BACK · nobody watched vm1 for 10 min (4 times in 4 h)"
    assert threads == [None, "ts0", "ts0", "ts0", None, "ts4"]
    assert box.threads == {"absences": "ts4"}


def test_a_host_that_falls_silent_again_and_again_in_one_night_is_one_thread_that_all_hear() -> None:
    box, threads, hosts = outbox.Outbox(), [], hear(Hosts(), "vm2", AT_US)
    hosts, _ = look(hosts, 60 * S, AT_US)
    for hour in (1, 2, 5, 14):
        for heard_first, at_us in ((False, AT_US + hour * 3_600 * S), (True, AT_US + (hour * 3_600 + 600) * S)):
            hosts = hear(hosts, "vm2", at_us) if heard_first else hosts
            for second in (0,) if heard_first else range(0, 90, 10):
                hosts, changes = look(hosts, 60 * S, at_us + second * S)
                for message in (render(change, CONTEXT, ENGLISH) for change in changes):
                    assert message.is_loud
                    threads.append((message.text.partition(" · ")[0], outbox.thread_of(box, message)))
                    box = outbox.told(outbox.add(box, [message]), f"ts{len(threads)}")
    silent, heard = "🔴 HOST IS SILENT", "✅ HOST IS HEARD AGAIN"
    first_night = [(silent, None), (heard, "ts1"), (silent, "ts1"), (heard, "ts1"), (silent, "ts1"), (heard, "ts1")]
    assert threads == [*first_night, (silent, None), (heard, "ts7")]


def test_what_ends_again_and_again_is_one_thread_and_what_is_new_in_it_is_for_all() -> None:
    """It is back at once, then loops, ends now and then, is down, and the next night ends again."""
    part, box, heard = Part(), outbox.Outbox(), []
    ends = [200, 500, 570, 640, 3_000, 4_000, 8_000, 49_000]
    for second in range(50_000):
        run = sum(second >= at for at in ends)
        seen = Observation("consumer", "up", f"run{run}", run)
        if second in range(8_000, 8_010):
            seen = Observation("consumer", "down", restarts=run, end=End("exit", "1"))
        step = changes.look(part, seen, AT_US + second * S)
        part = step.part
        if step.change is not None:
            message = render(step.change, CONTEXT, ENGLISH)
            thread = outbox.thread_of(box, message)
            heard.append((message.text.partition(" · ")[0], thread, thread is None or message.is_loud))
            box = outbox.told(outbox.add(box, [message]), f"ts{len(heard)}")
    assert heard == [
        ("🟡 RESTARTED", None, True),
        ("🟡 RESTARTED", "ts1", False),
        ("🔁 CRASH LOOP", "ts1", True),
        ("✅ BACK", "ts1", True),
        ("🟡 RESTARTED", "ts1", False),
        ("✅ STEADY", "ts1", False),
        ("🔴 DOWN", "ts1", True),
        ("✅ BACK", "ts1", True),
        ("🟡 RESTARTED", None, True),
    ]


def test_a_part_that_is_not_up_after_another_reboot_is_for_the_whole_channel_with_what_to_type() -> None:
    absences = Absences().and_one(AT_US).and_one(AT_US + S)
    well, ill = (
        render(
            Change("tapewatch", "rebooted", AT_US, AT_US, down_us=S, absences=absences, not_up=not_up), CONTEXT, ENGLISH
        )
        for not_up in ((), ["consumer"])
    )
    assert (well.is_loud, ill.is_loud) == (False, True)
    assert [CONTEXT.command in str(message.blocks) for message in (well, ill)] == [False, True]


@pytest.mark.parametrize("wording", WORDINGS.values(), ids=WORDINGS)
def test_every_message_is_one_that_slack_takes_and_nothing_in_it_is_markup(wording: Wording) -> None:
    for kind in wording.headlines:
        change = Change("<!channel>" * 30, kind, AT_US, AT_US, End("exit", "<1>"), 2, 5 * S, "<@U1> behind")
        message = render(change, CONTEXT, wording)
        check_message(message.text, message.blocks, [])
        assert not any("<!" in text or "<@" in text for text in (message.text, *_mrkdwn(message.blocks)))


def _mrkdwn(part: Any) -> Iterator[str]:
    """Every text that Slack reads as markup."""
    if isinstance(part, list):
        for one in part:
            yield from _mrkdwn(one)
    elif isinstance(part, dict):
        if part.get("type") == "mrkdwn":
            yield part["text"]
        yield from _mrkdwn(list(part.values()))


def test_both_languages_have_every_word() -> None:
    for field in fields(Wording):
        english, korean = getattr(ENGLISH, field.name), getattr(KOREAN, field.name)
        if isinstance(english, str):
            assert english
            assert korean
            assert english != korean
        else:
            assert english.keys() == korean.keys()
