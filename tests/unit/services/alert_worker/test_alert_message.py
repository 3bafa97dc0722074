"""An episode's message: readable, complete in each language, and harmless whatever a market is called."""

import pytest

from services.alert_worker.messages.alert_message import headline, one_line, page_of, render, render_step
from services.alert_worker.messages.blocks import cut, escape, outside
from services.alert_worker.messages.message import Circumstances, Facts, Picture
from services.alert_worker.messages.wording import ENGLISH, KOREAN, WORDINGS
from services.simulator.slack.validate import check_message

MINUS = "−"
NOW = Circumstances(now_us=1_700_000_006_512_000)
FACTS = Facts("비트코인", "Bitcoin", True, ("PRICE_FLUCTUATIONS", "NEW_ONE"), "128000000", "137500000", True, "1.84")


def texts(message) -> list[dict[str, str]]:
    found = []
    for block in message.blocks:
        found += [block["text"]] if "text" in block else []
        found += block.get("fields", []) + [e for e in block.get("elements", []) if "text" in e]
    return found


def shown(message) -> str:
    return "\n".join(str(text["text"]) for text in texts(message))


def test_one_line_says_it_all(make_alert) -> None:
    alert = make_alert("open", window_s=360, divergence_pct="-5.13")
    assert one_line(alert, ENGLISH) == (
        f"DANGER · KRW-BTC {MINUS}5.0 % in 6 min on Upbit (Binance 0.0 %), now 129,997,000 KRW"
    )
    assert one_line(alert, KOREAN) == (
        f"위험 · 업비트 KRW-BTC 6분 동안 {MINUS}5.0 % (바이낸스 0.0 %), 현재가 129,997,000 KRW"
    )


def test_without_the_other_exchange_it_names_none(make_alert) -> None:
    assert "Binance" not in one_line(make_alert("open"), ENGLISH)


def test_seen_from_binance_the_divergence_is_the_other_way_round(make_alert) -> None:
    alert = make_alert("open", exchange="binance", symbol="BTCUSDT", quote="USDT", divergence_pct="2.08")
    assert f"(Upbit {MINUS}3.0 %)" in one_line(alert, ENGLISH)


def test_the_end_says_how_it_went(make_alert) -> None:
    alert = make_alert("resolve", change_pct="-0.20", price_now="136560000", event_at_us=1_700_000_009_000_000)
    assert one_line(alert, ENGLISH) == (
        f"RESOLVED · KRW-BTC on Upbit after 9 s: moved {MINUS}5.5 %, now {MINUS}0.2 % from before, 136,560,000 KRW"
    )
    said = shown(render(alert, ENGLISH, NOW))
    for fact in ("*Extreme*", f"129,313,000 ({MINUS}5.5 %)", "*Lasted*\n9 s", "*Recovered*\n96 % of the move"):
        assert fact in said


def test_the_headline_names_the_exchange_the_coin_and_how_far_it_went(make_alert) -> None:
    assert headline(make_alert("open"), ENGLISH, FACTS) == f"🔴 DANGER · Upbit KRW-BTC 비트코인 {MINUS}5.0 %"
    assert headline(make_alert("resolve", change_pct="-0.20"), KOREAN) == f"✅ 해제 · 업비트 KRW-BTC {MINUS}5.5 %"


@pytest.mark.parametrize("wording", WORDINGS.values())
def test_korean_names_of_coins_are_shown_in_every_language(make_alert, wording) -> None:
    assert "비트코인" in render(make_alert("open"), wording, NOW, FACTS).blocks[0]["text"]["text"]


def test_the_facts_are_there(make_alert) -> None:
    alert = make_alert("open", volume_ratio="14.2", divergence_pct="-1.31", sigma="30.0", data_quality="gapped")
    said = shown(render(alert, ENGLISH, NOW, FACTS))
    for fact in (
        "136,839,000 KRW", "129,997,000 KRW", "*How unusual*\nabout once in 40 days (30.0 σ)", "*Within*\n6 s",
        "move+move_abs (moves/1)", "0.5 s from trade to message", "2023-11-15 07:13:26 KST", "22:13:26 UTC",
        "observation, not advice", "14.2 × the median", f"*Upbit–Binance gap*\n+1.8 %, {MINUS}1.3 points in 6 s",
        "*Range since 09:00 KST*\n128,000,000 – 137,500,000 KRW",
        "investment warning, caution: price fluctuation, NEW＿ONE", "a gap in the window",
        "`tapewatch alerts mute KRW-BTC --for 1h`", "`tapewatch explain KRW-BTC 2023-11-15T07:13`",
    ):  # fmt: skip
        assert fact in said


@pytest.mark.parametrize("wording", WORDINGS.values())
def test_the_commands_can_be_copied_also_where_trades_come_aggregated(make_alert, wording) -> None:
    alert = make_alert("open", exchange="binance_agg", symbol="BTCUSDT", base="BTC", quote="USDT")
    assert "`tapewatch explain binance_agg:BTCUSDT 2023-11-15T07:13`" in shown(render(alert, wording, NOW))
    evil = make_alert("open", exchange="x_`<!here>", symbol="A`B\n<!channel>&")
    said = shown(render(evil, wording, NOW))
    assert "`tapewatch alerts mute AˋB &lt;!channel&gt;&amp; --for 1h`" in said
    assert "`tapewatch explain x_ˋ&lt;!here&gt;:AˋB &lt;!channel&gt;&amp; 2023-11-15T07:13`" in said


def test_the_button_opens_the_exchange_s_page(make_alert) -> None:
    def url(**changes: object) -> str | None:
        found = [b["elements"][0]["url"] for b in render(make_alert("open", **changes), ENGLISH, NOW).blocks
                 if b["type"] == "actions"]  # fmt: skip
        return found[0] if found else None

    assert url() == "https://upbit.com/exchange?code=CRIX.UPBIT.KRW-BTC"
    assert url(exchange="binance", symbol="BTCUSDT", base="BTC", quote="USDT") == (
        "https://www.binance.com/en/trade/BTC_USDT?type=spot"
    )
    assert url(symbol="KRW-BTC&x=<evil>") is None
    assert page_of(make_alert("open", exchange="elsewhere")) is None


def test_the_chart_stands_in_the_message_with_words_for_those_who_cannot_see_it(make_alert) -> None:
    picture = Picture("F123", "Candle chart of KRW-BTC")
    message = render(make_alert("open"), ENGLISH, Circumstances(1, picture=picture))
    (image,) = (block for block in message.blocks if block["type"] == "image")
    assert image == {"type": "image", "slack_file": {"id": "F123"}, "alt_text": "Candle chart of KRW-BTC"}


def test_a_chart_whose_words_a_restart_forgot_still_has_some(make_alert) -> None:
    message = render(make_alert("open"), ENGLISH, Circumstances(1, picture=Picture("F123", "")))
    check_message(message.text, message.blocks, [])


@pytest.mark.parametrize("language", sorted(WORDINGS))
@pytest.mark.parametrize("state", ["open", "escalate", "resolve"])
@pytest.mark.parametrize("severity", ["notice", "warning", "danger"])
def test_slack_takes_every_message_and_nothing_in_it_is_a_mention_or_a_link(
    make_alert, language, state, severity
) -> None:
    huge, evil = "9" * 38, "<!channel> <https://evil.example|x> @here *b* `c`\n>"
    alert = make_alert(
        state, severity=severity, symbol=evil, exchange="&" * 64, quote="<" * 64, base="<@U1>", price_before=huge,
        price_now=huge, price_extreme=huge, rule_version="<" * 64, detectors=["&" * 64] * 20, volume_ratio="9.9",
        divergence_pct="1.0", data_quality="gapped",
    )  # fmt: skip
    facts = Facts(evil * 100, evil, True, (evil,) * 50, huge, huge, False, "1")
    told = Circumstances(1_700_000_100_000_000, may_repeat=True, stands_for=7, picture=Picture("F1", evil * 100))
    for message in (
        render(alert, WORDINGS[language], told, facts),
        render_step(alert, WORDINGS[language], may_repeat=True),
    ):
        check_message(message.text, message.blocks, [])
        assert len(message.text) <= 4_000
        for text in [{"type": "mrkdwn", "text": message.text, "verbatim": True}, *texts(message)]:
            assert text["type"] == "plain_text" or (text["verbatim"] and not {"<", ">"} & set(text["text"]))


def test_a_message_without_figures_is_still_one(make_alert) -> None:
    alert = make_alert("open", change_pct=None, price_before=None, price_now=None, price_extreme=None, sigma=None)
    message = render(alert, ENGLISH, NOW)
    check_message(message.text, message.blocks, [])
    assert "not known yet" in shown(message)


def test_what_may_repeat_and_what_it_stands_for_is_said(make_alert) -> None:
    message = render(make_alert("open"), ENGLISH, Circumstances(1, may_repeat=True, stands_for=3))
    assert "(may repeat)" in message.text
    assert "stands for 3 changes" in shown(message)
    once = render(make_alert("open"), ENGLISH, NOW)
    assert "(may repeat)" not in once.text
    assert "stands for" not in shown(once)


def test_markup_is_escaped() -> None:
    assert escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    assert outside("*b* `c` ~d~ <@U1>\n\u202e") == "∗b∗ ˋcˋ ∼d∼ &lt;@U1&gt;  "


@pytest.mark.parametrize("limit", range(2, 12))
def test_cutting_leaves_escaped_characters_whole(limit) -> None:
    kept = cut("ab&amp;&lt;cd", limit)
    assert len(kept) <= limit
    assert kept.endswith("…") or kept == "ab&amp;&lt;cd"
    assert kept.removesuffix("…").replace("&amp;", "").replace("&lt;", "").count("&") == 0
