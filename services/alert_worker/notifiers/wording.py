"""Every word that people read in a message, by language. A new language is one more row."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.events import Severity


@dataclass(frozen=True)
class Wording:
    """The words of one language; braces are filled in by `slack_message`."""

    severities: Mapping[Severity, str]
    resolved: str
    exchanges: Mapping[str, str]
    line: str
    resolved_line: str
    price_before: str
    price_now: str
    extreme: str
    window: str
    usual: str
    usual_times: str
    usual_unknown: str
    severity: str
    lasted: str
    context: str
    disclaimer: str
    may_repeat: str
    second: str
    minute: str
    hour: str


ENGLISH = Wording(
    severities={"notice": "NOTICE", "warning": "WARNING", "danger": "DANGER"},
    resolved="RESOLVED",
    exchanges={"upbit": "Upbit", "binance": "Binance", "binance_agg": "Binance"},
    line="{severity} · {symbol} {change} % in {window} on {exchange}, now {now} {quote}",
    resolved_line=(
        "RESOLVED · {symbol} on {exchange} after {lasted}: moved {deepest} %, now {change} % from before, {now} {quote}"
    ),
    price_before="Price before",
    price_now="Price now",
    extreme="Extreme",
    window="Within",
    usual="Compared with usual",
    usual_times="{times} × the usual swing",
    usual_unknown="not known yet",
    severity="Severity",
    lasted="Lasted",
    context="{rule} ({version}) · {seconds} s from trade to message · {kst} KST · {utc} UTC",
    disclaimer="observation, not advice",
    may_repeat="(may repeat)",
    second="{} s",
    minute="{} min",
    hour="{} h",
)

KOREAN = Wording(
    severities={"notice": "주의", "warning": "경고", "danger": "위험"},
    resolved="해제",
    exchanges={"upbit": "업비트", "binance": "바이낸스", "binance_agg": "바이낸스"},
    line="{severity} · {exchange} {symbol} {window} 동안 {change} %, 현재가 {now} {quote}",
    resolved_line=(
        "해제 · {exchange} {symbol} {lasted} 만에 해제: 최대 {deepest} %, 이전 가격 대비 {change} %, "
        "현재가 {now} {quote}"
    ),
    price_before="이전 가격",
    price_now="현재가",
    extreme="최고·최저",
    window="변동 시간",
    usual="평소와 비교",
    usual_times="평소 변동폭의 {times}배",
    usual_unknown="아직 알 수 없음",
    severity="단계",
    lasted="지속 시간",
    context="{rule} ({version}) · 체결부터 메시지까지 {seconds}초 · {kst} KST · {utc} UTC",
    disclaimer="관찰 결과이며 투자 조언이 아닙니다",
    may_repeat="(중복일 수 있음)",
    second="{}초",
    minute="{}분",
    hour="{}시간",
)

WORDINGS: Mapping[str, Wording] = {"en": ENGLISH, "ko": KOREAN}
