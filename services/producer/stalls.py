"""A symbol that is traded and not heard, told from one that is quiet. Pure.

One subscription can stall while the others of its connection flow. A silence that is long for this symbol is only a
suspicion: a quiet market looks just the same. What the exchange's REST side says of its last trade decides.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from services.producer.staleness import Silence

SHORTEST_S = 20.0
FIRST_TRADE_S = 600.0
UNLIKELY = 10.0
"""-ln of how unlikely the silence is: ten times the usual pause. A wrong suspicion costs a question, so it may be."""


class Known(NamedTuple):
    """Of a symbol that is silent: up to when, our clock, and up to which mark nothing of it is missing or untold.

    `since_us`: when the connection was confirmed on which that was so.
    """

    since_us: int
    until_us: int
    mark: int


class Stalls:
    """Watches the symbols of all connections of a process; what it keeps is bounded by their number.

    A *mark* says how far an exchange's trading has come: the id or the time of a symbol's last trade, higher for later.
    """

    def __init__(self) -> None:
        self._silences: dict[str, Silence] = {}
        self._patience_s: dict[str, int] = {}
        self._settled: dict[str, tuple[int, int]] = {}
        self._known: dict[str, Known] = {}

    def look(self, heard: Mapping[str, int]) -> list[str]:
        """Once a second, with what changes whenever a symbol is heard: those that have been silent for too long."""
        found = []
        for symbol, data in heard.items():
            silence = self._silences.get(symbol) or self._new(symbol)
            if silence.look(data) and silence.silent_s >= self._patience_s.get(symbol, 0):
                found.append(symbol)
            elif silence.silent_s == 0:
                self._patience_s.pop(symbol, None)
        return found

    def judge(
        self,
        suspects: Sequence[str],
        theirs: Mapping[str, int],
        ours: Mapping[str, int],
        since_us: Mapping[str, int],
    ) -> list[str]:
        """Those of the suspects that were traded without our hearing it. `theirs`: the exchange's marks; `ours`: up to
        which we heard on the connection that stands; `since_us`: when that was confirmed.

        Whatever the answer is, it is settled: each is suspected again after twice the silence, and found again only
        when its mark has moved. Of one that was not heard since its connection stands the first answer only settles
        where it is: it may have been traded before.
        """
        stalled = []
        for symbol in suspects:
            self._patience_s[symbol] = 2 * self._silences[symbol].silent_s
            if symbol not in theirs or symbol not in since_us:
                continue
            mark, since = theirs[symbol], since_us[symbol]
            settled_since, settled = self._settled.get(symbol, (since, -1))
            known = max(ours.get(symbol, -1), settled if settled_since == since else -1)
            self._settled[symbol] = since, max(mark, known)
            if 0 <= known < mark:
                stalled.append(symbol)
                self._known.pop(symbol, None)  # whoever tells of the stall tells of it to its end
        return stalled

    @property
    def suspected(self) -> Collection[str]:
        """Those that were silent for too long and were not heard since; kept while connections are replaced."""
        return self._known.keys()

    def suspect(self, known: Mapping[str, Known]) -> None:
        """Remember of those that fell silent for too long what was known then."""
        self._known = {**known, **self._known}

    def heard_again(self, ours: Mapping[str, int], since_us: Mapping[str, int], slack: int) -> dict[str, int]:
        """Of those that were suspected on a connection before the one on which they are heard: from when on trades of
        theirs may be missing, where any are. `slack`: see `Catalogue.mark_slack`.
        """
        missed = {}
        for symbol, known in list(self._known.items()):
            mark, since = ours.get(symbol), since_us.get(symbol)
            if mark is None or since is None:
                continue
            if since != known.since_us and mark > known.mark + slack:
                missed[symbol] = known.until_us
            if mark > known.mark:
                del self._known[symbol]
            elif since != known.since_us:  # an exchange answers a subscription with the last trade: none came after it
                self._known[symbol] = Known(since, max(since, known.until_us), known.mark)
        return missed

    def answered(
        self, suspects: Sequence[str], theirs: Mapping[str, int], since_us: Mapping[str, int], asked_at_us: int
    ) -> dict[str, int]:
        """The same of those that are still silent, by the exchange's answer.

        A connection that was confirmed after the question is another one than that on which the answer is known:
        what was traded between the two shows in the next trade or answer.
        """
        missed = {}
        for symbol in suspects:
            if symbol not in theirs or symbol not in since_us:
                continue
            mark, since = theirs[symbol], since_us[symbol]
            known = self._known.get(symbol, Known(min(since, asked_at_us), asked_at_us, mark))
            if since != known.since_us and mark > known.mark:
                missed[symbol] = known.until_us
            known_since = since if since <= asked_at_us else known.since_us
            self._known[symbol] = Known(known_since, asked_at_us, max(mark, known.mark))
        return missed

    def _new(self, symbol: str) -> Silence:
        return self._silences.setdefault(symbol, Silence(SHORTEST_S, FIRST_TRADE_S, UNLIKELY))
