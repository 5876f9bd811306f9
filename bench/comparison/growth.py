"""How time and memory grow with routes and with receivers."""
import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """What grows: a setting of a scenario."""
    scenario: str
    setting: str
    sizes: tuple
    # Octets that the kernel keeps for one receiver at most; `None` leaves that to the kernel. Thousands of receivers
    # with buffers of megabytes are more than it allows TCP as a whole: it throws away what has arrived, and what is
    # measured then is how it is sent again.
    receive_buffer: int | None = None


SUBJECTS = {
    "routes": Subject("S1", "prefixes", (10_000, 100_000, 1_000_000, 4_000_000)),
    "receivers": Subject("S2", "receivers", (10, 100, 1_000, 2_000), receive_buffer=512 * 1024),
}


def exponent(pairs):
    """`(b, a)` of the line a·n^b through `pairs` with the least squares of logarithms; `None` with fewer than two."""
    logs = [(math.log(n), math.log(value)) for n, value in pairs if n > 0 and value > 0]
    if len({x for x, _ in logs}) < 2:
        return None
    x_mean = sum(x for x, _ in logs) / len(logs)
    y_mean = sum(y for _, y in logs) / len(logs)
    slope = sum((x - x_mean) * (y - y_mean) for x, y in logs) / sum((x - x_mean) ** 2 for x, _ in logs)
    return slope, math.exp(y_mean - slope * x_mean)


def bends(points, metric):
    """The exponent from each point to the next: where they differ, the growth bends."""
    found = []
    for before, after in zip(points, points[1:]):
        fit = exponent([(p["n"], p["median"].get(metric) or 0) for p in (before, after)])
        found.append(fit[0] if fit else None)
    return found
