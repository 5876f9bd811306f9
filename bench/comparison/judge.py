"""Holds what was measured against the bars."""
from dataclasses import dataclass

from .rows import OURS, ROWS

# From this share of its time on, the generator may have been what took the time.
GENERATOR_BUSY = 0.85


@dataclass(frozen=True)
class Verdict:
    """One bar, and whether it is met."""
    row: str
    metric: str
    ours: float
    other: float
    against: str
    most: float
    met: bool

    @property
    def ratio(self):
        """Ours as a multiple of the other's."""
        return self.ours / self.other if self.other else float("inf")


def median(row, daemon, metric):
    """A daemon's median in a row, if all its repetitions came out right."""
    figures = (row or {}).get("daemons", {}).get(daemon)
    if not figures or figures["ok"] < figures["reps"]:
        return None
    return figures["median"].get(metric)


def against(rows, name, bar):
    """What a bar is held against: a figure and whose it is; `None` if it was not measured."""
    row = rows.get(name)
    if bar.against in ROWS:
        value = median(rows.get(bar.against), OURS, bar.metric)
        return (value, f"our {bar.against}") if value else None
    names = [bar.against] if bar.against != "best" else [d for d in row["daemons"] if d != OURS]
    found = [(value, daemon) for daemon in names if (value := median(row, daemon, bar.metric)) is not None]
    return min(found, default=None)


def judge(rows):
    """All bars of the rows that were measured."""
    verdicts = []
    for name in ROWS:
        if name not in rows:
            continue
        for bar in ROWS[name].bars:
            ours, other = median(rows[name], OURS, bar.metric), against(rows, name, bar)
            if other is None:
                continue
            # A run that went wrong reaches nothing.
            ours = float("inf") if ours is None else ours
            met = ours <= bar.most * other[0]
            verdicts.append(Verdict(name, bar.metric, ours, *other, bar.most, met))
    return verdicts


def generator_bound(figures):
    """Whether the generator was busy for nearly all of the time."""
    middle = figures["median"]
    return bool(middle) and middle["gen_cpu"] > GENERATOR_BUSY * middle["time"]
