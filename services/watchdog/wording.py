"""Every word of an ops message, by language. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.watchdog.changes import ChangeKind
from services.watchdog.observation import EndKind


@dataclass(frozen=True)
class Wording:
    """The words of one language; braces are filled in by `message`."""

    headlines: Mapping[ChangeKind, str]
    ends: Mapping[EndKind, str]
    host: str
    since: str
    restarts: str
    parts: str
    still: str
    away: str
    status: str
    why: str
    log: str
    next: str
    seconds: str
    minutes: str
    hours: str
    given_up: str
    unready: str
    again: str


ENGLISH = Wording(
    headlines={
        "down": "DOWN · {part} on {host}: {why}",
        "looping": "CRASH LOOP · {part} on {host}: starts and ends again and again, {why}",
        "stopped": "STOPPED · {part} on {host}, by somebody or by the system",
        "restarted": "RESTARTED · {part} on {host}: {why}, back after {away}",
        "steady": "STEADY · {part} on {host}: has stayed up for {away}, before it ended and was back",
        "back": "BACK · {part} on {host} after {away}",
        "started": "STARTED · {part} on {host} after {away}",
        "not_started": "DOES NOT START · {part} on {host}: {status}",
        "all_stopped": "STOPPED · tapewatch on {host}, all parts, on purpose",
        "all_started": "STARTED · tapewatch on {host} after {away}",
        "rebooted": "HOST IS BACK · {host} was away for {away}, all parts are looked after again",
        "watchdog_back": "WATCHDOG IS BACK · nobody watched {host} for {away}",
        "canary_overdue": "ALERTS DO NOT GET THROUGH · {part} on {host}: the test alert that goes round is overdue",
        "canary_back": "ALERTS GET THROUGH AGAIN · {part} on {host} after {away}",
        "silent": "HOST IS SILENT · no sign of life from {part} for {away}, says {host}",
        "heard": "HOST IS HEARD AGAIN · {part} after {away}",
        "waits": "WAITS · {part} on {host}: {status}",
        "gets_on": "GETS ON · {part} on {host}, waited for {what} for {away}",
        "flaps": "COMES AND GOES · {part} on {host}: {status}, {times} times in {away}",
        "stands": "STAYS AWAY · {part} on {host}: {status}, for {away} by now",
        "settled": "GETS ON · {part} on {host}, waited for {what} {times} times in {away}",
    },
    ends={
        "exit": "exit status {detail}",
        "signal": "killed by signal {detail}",
        "hung": "hung: no progress, ended by the watchdog {detail}",
        "memory": "out of memory",
        "timeout": "did not start or stop in time",
        "unreachable": "does not answer: {detail}",
        "asked": "on request",
        "unknown": "for an unknown reason",
    },
    host="Host",
    since="Since",
    restarts="Restarts",
    parts="Parts",
    still="Still waiting",
    away="Was away for",
    status="Last word",
    why="Why",
    log="Last lines of its log",
    next="Next: type `{command}`",
    seconds="{} s",
    minutes="{} min",
    hours="{} h",
    given_up="(before it {} messages were given up)",
    unready="not ready, it says: {status}",
    again=" ({count} times in {span})",
)

KOREAN = Wording(
    headlines={
        "down": "중단 · {host}의 {part}: {why}",
        "looping": "반복 종료 · {host}의 {part}: 시작과 종료를 되풀이합니다, {why}",
        "stopped": "정지 · {host}의 {part}, 사람 또는 시스템이 정지함",
        "restarted": "재시작 · {host}의 {part}: {why}, {away} 만에 복구",
        "steady": "안정 · {host}의 {part}: {away} 동안 종료 없음, 그 전에는 종료 후 복구됨",
        "back": "복구 · {host}의 {part}, {away} 만에 복구",
        "started": "시작 · {host}의 {part}, {away} 만에 다시 시작",
        "not_started": "시작 실패 · {host}의 {part}: {status}",
        "all_stopped": "정지 · {host}의 tapewatch 전체, 의도된 정지",
        "all_started": "시작 · {host}의 tapewatch, {away} 만에 다시 시작",
        "rebooted": "호스트 복귀 · {host}, {away} 동안 꺼져 있었고 모든 구성 요소를 다시 감시합니다",
        "watchdog_back": "감시 복귀 · {host}, {away} 동안 감시가 없었습니다",
        "canary_overdue": "알림 전달 안 됨 · {host}의 {part}: 주기적으로 도는 시험 알림이 제때 돌아오지 않았습니다",
        "canary_back": "알림 전달 복구 · {host}의 {part}, {away} 만에 복구",
        "silent": "호스트 무응답 · {away} 동안 {part}의 신호가 없습니다 ({host}에서 확인)",
        "heard": "호스트 신호 복구 · {part}, {away} 만에 신호가 다시 옵니다",
        "waits": "대기 중 · {host}의 {part}: {status}",
        "gets_on": "진행 재개 · {host}의 {part}, {away} 동안 {what}을(를) 기다렸습니다",
        "flaps": "반복 대기 · {host}의 {part}: {status}, {away} 동안 {times}번",
        "stands": "계속 대기 중 · {host}의 {part}: {status}, {away}째",
        "settled": "진행 재개 · {host}의 {part}, {away} 동안 {what}을(를) {times}번 기다렸습니다",
    },
    ends={
        "exit": "종료 코드 {detail}",
        "signal": "시그널 {detail}(으)로 종료됨",
        "hung": "멈춤: 진행이 없어 워치독이 종료함 {detail}",
        "memory": "메모리 부족",
        "timeout": "제시간에 시작하거나 정지하지 못함",
        "unreachable": "응답 없음: {detail}",
        "asked": "요청에 따른 재시작",
        "unknown": "원인 불명",
    },
    host="호스트",
    since="시작 시각",
    restarts="재시작 횟수",
    parts="구성 요소",
    still="아직 대기 중",
    away="중단 시간",
    status="마지막 상태",
    why="원인",
    log="마지막 로그",
    next="다음 명령: `{command}`",
    seconds="{}초",
    minutes="{}분",
    hours="{}시간",
    given_up="(그 전에 메시지 {}건을 보내지 못했습니다)",
    unready="준비되지 않음, 마지막 상태: {status}",
    again=" ({span} 동안 {count}번째)",
)

WORDINGS: Mapping[str, Wording] = {"en": ENGLISH, "ko": KOREAN}
