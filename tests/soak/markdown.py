"""Tables of Markdown. Pure."""

from collections.abc import Iterable


def rows(headings: tuple[str, ...], cells: Iterable[tuple[str, ...]]) -> list[str]:
    """A table, its lines. The first column is to the left, all others to the right."""
    return [row(headings), f"|---|{'---:|' * (len(headings) - 1)}", *map(row, cells)]


def row(cells: tuple[str, ...]) -> str:
    """One line of it."""
    return f"| {' | '.join(cells)} |"
