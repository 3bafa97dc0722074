"""How far an exchange's clock is behind ours, by the trades of one connection. Pure."""

from shared.events import Trade


class ExchangeClock:
    """Begins with a connection. Upbit answers a subscription with each symbol's last trade, marked by nothing that an
    event keeps: its age may be hours, and is no clock's.
    """

    def __init__(self) -> None:
        self._first_us: dict[str, int] = {}

    def offset_us(self, trade: Trade, confirmed_at_us: int | None, known_us: int | None) -> int | None:
        """The smallest difference seen, of what was known of this connection and this trade; None while nothing is.

        Nothing is known by a trade that may be such an answer: traded before the subscription was confirmed, and not
        after another one of its symbol. Of a recording of another year only the second of a symbol is late enough.
        """
        if known_us is None and not self._is_fresh(trade, confirmed_at_us):
            return None
        offset_us = max(0, trade.received_at_us - trade.traded_at_us)
        return offset_us if known_us is None else min(known_us, offset_us)

    def _is_fresh(self, trade: Trade, confirmed_at_us: int | None) -> bool:
        first_us = self._first_us.setdefault(trade.symbol, trade.traded_at_us)
        return trade.traded_at_us > first_us or (confirmed_at_us is not None and trade.traded_at_us >= confirmed_at_us)
