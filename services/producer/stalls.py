"""A symbol that is traded and not heard, told from one that is quiet. Pure.

One subscription can stall while the others of its connection flow. A silence that is long for this symbol is only a
suspicion: a quiet market looks just the same. What the exchange's REST side says of its last trade decides.
"""

from collections.abc import Mapping, Sequence

from services.producer.staleness import Silence

SHORTEST_S = 20.0
FIRST_TRADE_S = 600.0
UNLIKELY = 10.0
"""-ln of how unlikely the silence is: ten times the usual pause. A wrong suspicion costs a question, so it may be."""


class Stalls:
    """Watches the symbols of all connections of a process; what it keeps is bounded by their number.

    A *mark* says how far an exchange's trading has come: the id or the time of a symbol's last trade, higher for later.
    """

    def __init__(self) -> None:
        self._silences: dict[str, Silence] = {}
        self._patience_s: dict[str, int] = {}
        self._settled: dict[str, tuple[int, int]] = {}

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
            stalled += [symbol] if 0 <= known < mark else []
            self._settled[symbol] = since, max(mark, known)
        return stalled

    def _new(self, symbol: str) -> Silence:
        return self._silences.setdefault(symbol, Silence(SHORTEST_S, FIRST_TRADE_S, UNLIKELY))
