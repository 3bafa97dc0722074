"""Whether a figure grows: the median slope between all pairs of its points, which single outliers do not move. Pure."""

from collections.abc import Sequence
from statistics import median


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Growth of y for one unit of x (Theil and Sen); 0 for fewer than two points."""
    slopes = [
        (later_y - y) / (later_x - x)
        for place, (x, y) in enumerate(points)
        for later_x, later_y in points[place + 1 :]
        if later_x != x
    ]
    return median(slopes) if slopes else 0.0
