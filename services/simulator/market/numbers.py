"""How the exchanges spell a number that is an integer of some power of ten. No float comes near a published price."""

from collections.abc import Callable

_MAX_REMEMBERED = 50_000


def plain(units: int, scale: int) -> str:
    """Spell ``units * 10**-scale`` with `scale` digits behind the point: ``plain(77720, 8)`` is ``0.00077720``."""
    if scale == 0:
        return str(units)
    digits = str(units).rjust(scale + 1, "0") if units >= 0 else "-" + str(-units).rjust(scale + 1, "0")
    return f"{digits[:-scale]}.{digits[-scale:]}"


def pointed(units: int, scale: int) -> str:
    """Spell without exponent or needless zeros, with at least one digit behind the point: ``3040.0``, ``41.2``."""
    text = plain(units, scale)
    if scale == 0:
        return text + ".0"
    text = text.rstrip("0")
    return text + "0" if text.endswith(".") else text


def java_double(units: int, scale: int) -> str:
    """Spell as Java's ``Double.toString`` does: ``1.16539E8`` from 10**7 on, ``7.9276E-4`` below 10**-3."""
    if units == 0:
        return "0.0"
    sign, digits = ("-", str(-units)) if units < 0 else ("", str(units))
    exponent = len(digits) - 1 - scale
    if -3 <= exponent < 7:
        return pointed(units, scale)
    mantissa = digits.rstrip("0")
    return f"{sign}{mantissa[0]}.{mantissa[1:] or '0'}E{exponent}"


def java_big_decimal(units: int, scale: int) -> str:
    """Spell as Java's ``BigDecimal.toString`` does: zeros kept, an exponent below 10**-6: ``0E-8``, ``2.1E-7``."""
    digits = str(abs(units))
    exponent = len(digits) - 1 - scale
    if exponent >= -6:
        return plain(units, scale)
    sign = "-" if units < 0 else ""
    point = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{point}E{exponent}"


class Spellings(dict[int, str]):
    """Remembers spellings of one scale, because prices and sizes repeat. Forgets all when there are too many."""

    def __init__(self, spell: Callable[[int, int], str], scale: int) -> None:
        super().__init__()
        self._spell = spell
        self._scale = scale

    def __missing__(self, units: int) -> str:
        if len(self) >= _MAX_REMEMBERED:
            self.clear()
        text = self[units] = self._spell(units, self._scale)
        return text
