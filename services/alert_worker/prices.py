"""Exact prices as integers: ``65000.12000000`` is 6500012 at scale 2. Ratios of integers are the same at any scale."""

MAX_PRICE = 1 << 62
"""What a window's slot holds; a symbol whose prices need more digits is not watched, and that is counted."""


def read_price(text: str) -> tuple[int, int]:
    """Digits and scale of a plain decimal; zeros at the fraction's end carry no value and are left away."""
    whole, _, fraction = text.partition(".")
    if not fraction:
        return int(whole), 0
    if fraction[-1] == "0":
        fraction = fraction.rstrip("0")
    return int(whole + fraction), len(fraction)


def price_text(price: int, scale: int) -> str:
    """The plain decimal of a price at a scale."""
    if scale == 0:
        return str(price)
    digits = str(price).rjust(scale + 1, "0")
    return f"{digits[:-scale]}.{digits[-scale:]}"
