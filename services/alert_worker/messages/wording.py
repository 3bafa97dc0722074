"""Every word that people read in a message, by language. A new language is one more row."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.events import Severity


@dataclass(frozen=True)
class Wording:
    """The words of one language; braces are filled in by the modules beside this."""

    severities: Mapping[Severity, str]
    resolved: str
    exchanges: Mapping[str, str]
    line: str
    other_exchange: str
    resolved_line: str
    price_before: str
    price_now: str
    extreme: str
    window: str
    usual: str
    sigma: str
    volume: str
    volume_times: str
    gap: str
    gap_level: str
    gap_change: str
    range_24h: str
    range_utc_day: str
    flags: str
    warning_flag: str
    cautions: Mapping[str, str]
    lasted: str
    recovered: str
    recovered_share: str
    quality: str
    qualities: Mapping[str, str]
    stands_for: str
    context: str
    both_times: str
    how_to: str
    why: str
    disclaimer: str
    may_repeat: str
    open_page: str
    chart_title: str
    chart_alt: str
    chart_before: str
    """Words inside a picture, this and the next three: Latin letters, figures and signs, see `charts.picture`."""
    chart_severities: Mapping[Severity, str]
    chart_resolved: str
    chart_volume: str
    escalated_line: str
    storm_falls: str
    storm_rises: str
    storm_mixed: str
    storm_line: str
    storm_over_line: str
    storm_morning: str
    storm_late: str
    storm_count: str
    storm_details: str
    storm_over: str
    storm_more: str
    top_movers: str
    greeting: str
    greeting_line: str
    greeting_rules: str
    greeting_nothing: str
    greeting_muted: str
    rules_refused: str
    rules_refused_line: str
    rules_refused_next: str
    digest: str
    digest_line: str
    digest_old: str
    digest_unusual: str
    digest_minute: str
    digest_alerts: str
    digest_alert_counts: str
    digest_muted: str
    digest_gaps: str
    digest_no_gaps: str
    digest_gap_count: str
    digest_freshness: str
    digest_fresh: str
    digest_nothing: str
    sample: str
    sample_alt: str
    awake: str
    remark_line: str
    remark_over_line: str
    halt: str
    halt_over: str
    notices: Mapping[str, str]
    notice_raised: str
    notice_lifted: str
    notice_context: str
    notice_many: str
    notice_many_line: str
    notice_news: str
    rarity_unknown: str
    rarity_ordinary: str
    rarity_times_a_day: str
    rarity_once_a_day: str
    rarity_days: str
    rarity_months: str
    rarity_years: str
    second: str
    minute: str
    hour: str
    day: str


ENGLISH = Wording(
    severities={"notice": "NOTICE", "warning": "WARNING", "danger": "DANGER"},
    resolved="RESOLVED",
    exchanges={"upbit": "Upbit", "binance": "Binance", "binance_agg": "Binance"},
    line="{severity} · {symbol} {change} % in {window} on {exchange}{other}, now {now} {quote}",
    other_exchange=" ({exchange} {change} %)",
    resolved_line=(
        "RESOLVED · {symbol} on {exchange} after {lasted}: moved {deepest} %, now {change} % from before, {now} {quote}"
    ),
    price_before="Price before",
    price_now="Price now",
    extreme="Extreme",
    window="Within",
    usual="How unusual",
    sigma="{words} ({sigma} σ)",
    volume="Volume",
    volume_times="{times} × the median",
    gap="Upbit–Binance gap",
    gap_level="{level} %",
    gap_change="{change} points in {window}",
    range_24h="24 h range",
    range_utc_day="Range since 09:00 KST",
    flags="The exchange says",
    warning_flag="investment warning",
    cautions={
        "PRICE_FLUCTUATIONS": "caution: price fluctuation",
        "TRADING_VOLUME_SOARING": "caution: volume soaring",
        "DEPOSIT_AMOUNT_SOARING": "caution: deposits soaring",
        "GLOBAL_PRICE_DIFFERENCES": "caution: differs from world price",
        "CONCENTRATION_OF_SMALL_ACCOUNTS": "caution: few accounts trade it",
    },
    lasted="Lasted",
    recovered="Recovered",
    recovered_share="{share} % of the move",
    quality="Data",
    qualities={
        "ok": "complete",
        "stale": "told late",
        "gapped": "a gap in the window",
        "backfilled": "refilled afterwards",
    },
    stands_for="stands for {count} changes",
    context="{rule} ({version}) · {seconds} s from trade to message · {times}",
    both_times="{kst} KST · {utc} UTC",
    how_to="mute: `tapewatch alerts mute {symbol} --for 1h`",
    why="why: `tapewatch explain {symbol} {time}`",
    disclaimer="observation, not advice",
    may_repeat="(may repeat)",
    open_page="Open on {exchange}",
    chart_title="{symbol} on {exchange}  {change} %",
    chart_alt=(
        "Candle chart of {symbol} on {exchange}, {minutes} minutes to {time} UTC: {before} {quote} before the move, "
        "{now} at the end, lowest {low}, highest {high}; the alert is marked at {alert} UTC"
    ),
    chart_before="before",
    chart_severities={"notice": "NOTICE", "warning": "WARNING", "danger": "DANGER"},
    chart_resolved="RESOLVED",
    chart_volume="volume, {base}",
    escalated_line="{severity} · now {change} %, {now} {quote} ({times})",
    storm_falls="{count} markets fall",
    storm_rises="{count} markets rise",
    storm_mixed="{count} markets move",
    storm_line="{severity} · {what} within {window}: {movers}",
    storm_over_line="RESOLVED · {what}, all over after {window}: {movers}",
    storm_morning="While it was quiet: {what}",
    storm_late="Told late: {what}",
    storm_count="{open} going on, {over} over · {severities}",
    storm_details="details in the thread",
    storm_over="over",
    storm_more="and {count} more",
    top_movers="Top movers",
    greeting="tapewatch is watching",
    greeting_line="tapewatch is watching {markets}",
    greeting_rules="Rules: {rules} ({version})",
    greeting_nothing="no market yet: the list comes with the producers",
    greeting_muted="Quiet hours: {hours}",
    rules_refused="The rules file is broken",
    rules_refused_line="The rules from before stay in force ({version}).",
    rules_refused_next="check it with `tapewatch alerts rules`; once it is right it is taken up within seconds",
    digest="Daily digest {day}",
    digest_line="Daily digest {day}: {alerts}; {movers}",
    digest_old="There is nothing of {missing} yet, so this is of the last day with data",
    digest_unusual="Most unusual minutes",
    digest_minute="{change} % at {time} UTC: larger than {percentile} % of its {minutes} minutes with trades",
    digest_alerts="Alerts",
    digest_alert_counts="{fired} told, {muted} muted",
    digest_muted="muted: {symbols}",
    digest_gaps="Gaps the feeds told",
    digest_no_gaps="none",
    digest_gap_count="{count}, {open} of them still open when told",
    digest_freshness="Newest trade",
    digest_fresh="{exchange} {age} ago",
    digest_nothing="no trades",
    sample="SAMPLE: nothing happened, this shows what an alert looks like",
    sample_alt="A made-up candle chart of an hour that ends in a fall by five per cent",
    awake="tapewatch is awake: a test alert went all the way, last at {time}. This message changes in place",
    remark_line="{severity} · {exchange} {symbol}: {what}",
    remark_over_line="RESOLVED · {exchange} {symbol}: {what}",
    halt="no trades for {window} while other markets go on",
    halt_over="trades again after {window}",
    notices={
        "listed": "newly listed",
        "gone": "no longer listed",
        "halted": "trading halted",
        "resumed": "trading resumed",
    },
    notice_raised="now under {flag}",
    notice_lifted="no longer under {flag}",
    notice_context="{rule} ({version}) · {seconds} s from the exchange's list to message · {times}",
    notice_many="{count} markets have news from their exchange",
    notice_many_line="{severity} · {what}: {movers}",
    notice_news="What changed",
    rarity_unknown="not known yet",
    rarity_ordinary="many times a day",
    rarity_times_a_day="about {} times a day",
    rarity_once_a_day="about once a day",
    rarity_days="about once in {} days",
    rarity_months="about once in {} months",
    rarity_years="rarer than once in two years",
    second="{} s",
    minute="{} min",
    hour="{} h",
    day="{} days",
)

KOREAN = Wording(
    severities={"notice": "주의", "warning": "경고", "danger": "위험"},
    resolved="해제",
    exchanges={"upbit": "업비트", "binance": "바이낸스", "binance_agg": "바이낸스"},
    line="{severity} · {exchange} {symbol} {window} 동안 {change} %{other}, 현재가 {now} {quote}",
    other_exchange=" ({exchange} {change} %)",
    resolved_line=(
        "해제 · {exchange} {symbol} {lasted} 만에 해제: 최대 {deepest} %, 이전 가격 대비 {change} %, "
        "현재가 {now} {quote}"
    ),
    price_before="이전 가격",
    price_now="현재가",
    extreme="최고·최저",
    window="변동 시간",
    usual="이례적인 정도",
    sigma="{words} ({sigma} σ)",
    volume="거래량",
    volume_times="중앙값의 {times}배",
    gap="업비트–바이낸스 가격 차이",
    gap_level="{level} %",
    gap_change="{window} 동안 {change} %p",
    range_24h="24시간 가격 범위",
    range_utc_day="09:00 KST 이후 가격 범위",
    flags="거래소 지정",
    warning_flag="유의 종목",
    cautions={
        "PRICE_FLUCTUATIONS": "주의: 가격 급등락",
        "TRADING_VOLUME_SOARING": "주의: 거래량 급등",
        "DEPOSIT_AMOUNT_SOARING": "주의: 입금량 급등",
        "GLOBAL_PRICE_DIFFERENCES": "주의: 가격 차이",
        "CONCENTRATION_OF_SMALL_ACCOUNTS": "주의: 소수 계정 집중",
    },
    lasted="지속 시간",
    recovered="회복",
    recovered_share="변동폭의 {share} %",
    quality="데이터",
    qualities={"ok": "완전함", "stale": "늦게 알림", "gapped": "구간에 누락 있음", "backfilled": "나중에 보충됨"},
    stands_for="변화 {count}건을 합친 메시지",
    context="{rule} ({version}) · 체결부터 메시지까지 {seconds}초 · {times}",
    both_times="{kst} KST · {utc} UTC",
    how_to="음소거: `tapewatch alerts mute {symbol} --for 1h`",
    why="이유: `tapewatch explain {symbol} {time}`",
    disclaimer="관찰 결과이며 투자 조언이 아닙니다",
    may_repeat="(중복일 수 있음)",
    open_page="{exchange}에서 보기",
    chart_title="{exchange} {symbol}  {change} %",
    chart_alt=(
        "{exchange} {symbol} 캔들 차트, {time} UTC까지 {minutes}분: 변동 전 {before} {quote}, 마지막 {now}, "
        "최저 {low}, 최고 {high}. 알림 시각 {alert} UTC에 표시"
    ),
    chart_before="0 %",
    chart_severities={"notice": "!", "warning": "!!", "danger": "!!!"},
    chart_resolved="✓",
    chart_volume="{base}",
    escalated_line="{severity} · 현재 {change} %, {now} {quote} ({times})",
    storm_falls="{count}개 종목 하락",
    storm_rises="{count}개 종목 상승",
    storm_mixed="{count}개 종목 변동",
    storm_line="{severity} · {window} 동안 {what}: {movers}",
    storm_over_line="해제 · {what}, {window} 만에 모두 종료: {movers}",
    storm_morning="알림 제한 시간 동안: {what}",
    storm_late="늦게 알림: {what}",
    storm_count="진행 중 {open}, 종료 {over} · {severities}",
    storm_details="자세한 내용은 스레드에",
    storm_over="종료",
    storm_more="외 {count}개",
    top_movers="변동 상위",
    greeting="tapewatch가 감시를 시작했습니다",
    greeting_line="tapewatch 감시 대상: {markets}",
    greeting_rules="규칙: {rules} ({version})",
    greeting_nothing="아직 종목이 없습니다. 수집기가 목록을 보내면 시작합니다",
    greeting_muted="알림 제한 시간: {hours}",
    rules_refused="규칙 파일에 오류가 있습니다",
    rules_refused_line="이전 규칙을 그대로 사용합니다 ({version}).",
    rules_refused_next="`tapewatch alerts rules`로 확인하세요. 바로잡으면 몇 초 안에 적용됩니다",
    digest="일일 요약 {day}",
    digest_line="일일 요약 {day}: {alerts}; {movers}",
    digest_old="{missing} 데이터가 아직 없어, 데이터가 있는 마지막 날의 요약입니다",
    digest_unusual="가장 이례적인 1분",
    digest_minute="{time} UTC에 1분간 {change} %: 체결이 있던 {minutes}분 중 {percentile} %보다 큰 변동",
    digest_alerts="알림",
    digest_alert_counts="알림 {fired}건, 음소거 {muted}건",
    digest_muted="음소거: {symbols}",
    digest_gaps="피드가 알린 누락 구간",
    digest_no_gaps="없음",
    digest_gap_count="{count}건, 알릴 때 진행 중이던 것 {open}건",
    digest_freshness="최근 체결",
    digest_fresh="{exchange} {age} 전",
    digest_nothing="체결 없음",
    sample="예시: 실제 상황이 아니며, 알림이 어떻게 보이는지 보여 줍니다",
    sample_alt="지어낸 1시간 캔들 차트: 마지막에 5 % 하락합니다",
    awake="tapewatch 작동 중: 시험 알림이 끝까지 전달되었습니다. 마지막 {time}. 이 메시지는 제자리에서 갱신됩니다",
    remark_line="{severity} · {exchange} {symbol}: {what}",
    remark_over_line="해제 · {exchange} {symbol}: {what}",
    halt="{window} 동안 체결 없음, 다른 종목은 거래 중",
    halt_over="{window} 만에 거래 재개",
    notices={
        "listed": "신규 상장",
        "gone": "거래 목록에서 제외",
        "halted": "거래 중단",
        "resumed": "거래 재개",
    },
    notice_raised="{flag} 지정",
    notice_lifted="{flag} 해제",
    notice_context="{rule} ({version}) · 거래소 목록 확인부터 메시지까지 {seconds}초 · {times}",
    notice_many="{count}개 종목에 거래소 공지",
    notice_many_line="{severity} · {what}: {movers}",
    notice_news="변경 내용",
    rarity_unknown="아직 알 수 없음",
    rarity_ordinary="하루에 여러 번",
    rarity_times_a_day="하루에 약 {}번",
    rarity_once_a_day="하루에 약 한 번",
    rarity_days="약 {}일에 한 번",
    rarity_months="약 {}개월에 한 번",
    rarity_years="2년에 한 번보다 드묾",
    second="{}초",
    minute="{}분",
    hour="{}시간",
    day="{}일",
)

WORDINGS: Mapping[str, Wording] = {"en": ENGLISH, "ko": KOREAN}
