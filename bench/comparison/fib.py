"""The tables of routes on their way into the kernel, from what bench/fib has written."""
from .rows import NAMES
from .words import around, figure, table

# As bench/fib names them: what each work is.
WORKS = {
    "install": "From memory into the kernel",
    "withdraw": "Out of it again",
    "from BGP": "From a BGP session into the kernel",
    "session closed": "The session is closed",
    "resync": "All is read again and right already",
    "next hop changes": "The way to the only next hop changes",
    "one of two fails": "One of two next hops loses its way",
    "link goes down": "The link of one of two next hops goes down",
}


def cell(measured):
    """A median; with more than one repetition, half of what they are apart."""
    if measured is None:
        return ""
    value, values = measured["median"], measured["values"]
    if value and len(values) > 1 and measured["what"].startswith("time"):
        return around(value, max(values) - min(values))
    return figure(value)


def work_table(figures):
    """One work: a line for each size and figure, a column for each who did it."""
    subjects = list(dict.fromkeys(measured["who"] for measured in figures))
    of = {(f["routes"], f["what"], f["who"]): f for f in figures}
    lines = [[f"{routes:,}", what, *(cell(of.get((routes, what, who))) for who in subjects)]
             for routes, what in dict.fromkeys((f["routes"], f["what"]) for f in figures)]
    return table(["routes", "", *(NAMES.get(who, who) for who in subjects)], lines)


def tables(kept):
    """All works, each under what it is."""
    figures = kept["figures"]
    parts = [f"{WORKS.get(work, work)}:\n\n{work_table([f for f in figures if f['work'] == work])}"
             for work in dict.fromkeys(measured["work"] for measured in figures)]
    return "\n\n".join([*parts, *(f"- {fault}" for fault in kept["faults"])])


def bars(kept):
    """What was aimed at."""
    lines = [[bar["what"], figure(bar["value"]), f"≤ {figure(bar['most'])}", "" if bar["met"] else "**missed**"]
             for bar in kept["bars"]]
    return table(["", "measured", "bar", ""], lines)
