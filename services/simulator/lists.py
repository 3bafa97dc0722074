"""What the exchanges list: the source's markets, changed on command. One that left or is halted says nothing more."""

from dataclasses import dataclass, replace
from typing import Any

from services.simulator.rows import Listed, Source

CAUTIONS = (
    "PRICE_FLUCTUATIONS",
    "TRADING_VOLUME_SOARING",
    "DEPOSIT_AMOUNT_SOARING",
    "GLOBAL_PRICE_DIFFERENCES",
    "CONCENTRATION_OF_SMALL_ACCOUNTS",
)


class ListError(ValueError):
    """An order that names no market, or nothing that can be changed; the text says which."""


@dataclass(slots=True)
class _Change:
    is_listed: bool = True
    is_trading: bool | None = None
    is_spot: bool | None = None
    warning: bool | None = None
    cautions: frozenset[str] | None = None

    @property
    def is_open(self) -> bool:
        """Whether anything is to be heard of the market."""
        return self.is_listed and self.is_trading is not False and self.is_spot is not False


class Lists:
    """The lists of both exchanges as they are now."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._changes: dict[tuple[str, str], _Change] = {}

    def listed(self, exchange: str) -> list[Listed]:
        """What the exchange's list shows, busiest first."""
        return [
            self._changed(listed)
            for listed in self._source.listed(exchange)
            if self._change_of(listed.exchange, listed.symbol).is_listed
        ]

    def change(self, order: object) -> dict[str, Any]:
        """Obey ``{"exchange", "symbol"}`` with any of ``listed``, ``trading``, ``spot``, ``warning`` (true or false)
        and ``cautions`` (all that hold). Raises ListError with one line that names what is wrong.
        """
        if not isinstance(order, dict):
            raise ListError("an object with exchange and symbol is wanted")
        exchange, symbol = str(order.get("exchange")), str(order.get("symbol"))
        if not any(listed.symbol == symbol for listed in self._source.listed(exchange)):
            raise ListError("no such market: exchange must be upbit or binance, symbol one of its markets")
        before = self._change_of(exchange, symbol)
        change = self._changes[exchange, symbol] = _Change(
            is_listed=_flag(order, "listed", before.is_listed) is not False,
            is_trading=_flag(order, "trading", before.is_trading),
            is_spot=_flag(order, "spot", before.is_spot),
            warning=_flag(order, "warning", before.warning),
            cautions=_cautions(order, before.cautions),
        )
        self._source.set_open(exchange, symbol, is_open=change.is_open)
        return {"exchange": exchange, "symbol": symbol, "listed": change.is_listed}

    def _changed(self, listed: Listed) -> Listed:
        change = self._change_of(listed.exchange, listed.symbol)
        return replace(
            listed,
            is_trading=listed.is_trading if change.is_trading is None else change.is_trading,
            is_spot=listed.is_spot if change.is_spot is None else change.is_spot,
            warning=listed.warning if change.warning is None else change.warning,
            cautions=listed.cautions if change.cautions is None else change.cautions,
        )

    def _change_of(self, exchange: str, symbol: str) -> _Change:
        return self._changes.get((exchange, symbol), _UNCHANGED)


def _flag(order: dict[str, Any], name: str, before: bool | None) -> bool | None:
    value = order.get(name, before)
    if value is not None and not isinstance(value, bool):
        raise ListError(f"{name} must be true or false")
    return value


def _cautions(order: dict[str, Any], before: frozenset[str] | None) -> frozenset[str] | None:
    names = order.get("cautions")
    if names is None:
        return before
    if not isinstance(names, list) or not set(map(str, names)) <= set(CAUTIONS):
        raise ListError(f"cautions must be a list of {', '.join(CAUTIONS)}")
    return frozenset(names)


_UNCHANGED = _Change()
