"""What a sink remembers of one symbol's newest trades, to know a repeat from a new trade. Pure."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

from shared.events import Trade

REMEMBERED = 1000
_TAKEN = -1


class LeftBehind:
    """Entries that were written under the generation before the topic was made anew, by trade id; 24 bytes each.

    A consumer reads on at its old position until it notices that the topic is another one. What it wrote by then is of
    the new log, and stands before the new log's first trades.
    """

    __slots__ = ("_ids", "_offsets", "_received_at_us")

    def __init__(self, entries: Iterable[tuple[int, int, int]] = ()) -> None:
        """Of each entry the trade's id, its offset, and when it was received."""
        ordered = sorted(entries)
        self._ids, self._offsets, self._received_at_us = (array("q", column) for column in zip(*ordered, strict=True))

    def take(self, trade_id: int, offset: int, received_at_us: int) -> int | None:
        """Offset under which the trade that is at `offset` now was written early, once; None when it was not.

        Written early is what lies at the very same offset, and a later copy of a trade that came twice. An earlier copy
        is of the old log: this is a repeat of it.
        """
        at = bisect_left(self._ids, trade_id)
        if at == len(self._ids) or self._ids[at] != trade_id:
            return None
        early: int = self._offsets[at]
        if early != offset and not (early > offset and self._received_at_us[at] > received_at_us):
            return None
        self._offsets[at] = _TAKEN
        return early

    def holds(self, trade_id: int, received_at_us: int) -> bool:
        """Say whether this very event stands there: sent twice, or the old log was restored, at whatever offsets."""
        at = bisect_left(self._ids, trade_id)
        return at < len(self._ids) and self._ids[at] == trade_id and self._received_at_us[at] == received_at_us


class RecentTrades:
    """The ids of the last thousand trades (at least) in order of arrival, and the newest trade's time.

    `seen_until_us` is set when a log is read again: what was received up to then is in the store already.
    `left_behind` is what has to move to its place when it comes again.

    Ids mostly rise, so that one comparison proves most trades new. Only when one lies below the highest is a sorted
    copy made and searched: 8 bytes an id where an exchange counts its trades, 16 where its ids have no order.
    """

    __slots__ = ("_arrived", "_highest", "_newest_traded_at_us", "_seen_until_us", "_sorted", "left_behind")

    def __init__(
        self,
        trade_ids: Iterable[int] = (),
        newest_traded_at_us: int = 0,
        seen_until_us: int = -1,
        left_behind: LeftBehind | None = None,
    ) -> None:
        self.left_behind = left_behind
        self._arrived = array("q")
        self._sorted: array[int] | None = None
        self._highest = -1
        self._newest_traded_at_us = newest_traded_at_us
        self._seen_until_us = seen_until_us
        for trade_id in trade_ids:
            self.is_new(trade_id)

    def admits(self, trade: Trade) -> bool:
        """Say whether the trade belongs at the end of the stream, and remember it.

        A repeat does not. Neither does a backfilled trade older than the newest, which would break the order.
        """
        if trade.received_at_us <= self._seen_until_us:
            return False
        if self.left_behind and self.left_behind.holds(int(trade.trade_id), trade.received_at_us):
            return False
        traded_at_us = trade.traded_at_us
        if traded_at_us < self._newest_traded_at_us:
            return trade.origin != "backfill" and self.is_new(int(trade.trade_id))
        if not self.is_new(int(trade.trade_id)):
            return False
        self._newest_traded_at_us = traded_at_us
        return True

    def moves(self, trade: Trade, offset: int) -> int | None:
        """Offset of the entry that was written early and has to give way to the trade at `offset`; mostly None.

        Backfill older than the newest stays where it is.
        """
        if self.left_behind is None or self._is_old_backfill(trade):
            return None
        trade_id = int(trade.trade_id)
        early = self.left_behind.take(trade_id, offset, trade.received_at_us)
        if early is not None:
            self.is_new(trade_id)
        return early

    def _is_old_backfill(self, trade: Trade) -> bool:
        return trade.origin == "backfill" and trade.traded_at_us < self._newest_traded_at_us

    def is_new(self, trade_id: int) -> bool:
        """Say whether the id is not among those remembered, and remember it."""
        if trade_id > self._highest:
            self._highest = trade_id
            if self._sorted is not None:
                self._sorted.append(trade_id)
        elif not self._insert(trade_id):
            return False
        self._arrived.append(trade_id)
        if len(self._arrived) >= 2 * REMEMBERED:
            del self._arrived[:REMEMBERED]
            self._sorted = None
        return True

    def _insert(self, trade_id: int) -> bool:
        if self._sorted is None:
            self._sorted = array("q", sorted(self._arrived))
        at = bisect_left(self._sorted, trade_id)
        if at < len(self._sorted) and self._sorted[at] == trade_id:
            return False
        self._sorted.insert(at, trade_id)
        return True
