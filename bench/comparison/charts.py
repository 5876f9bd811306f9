"""The figures, drawn from what is kept in docs/performance: the same JSON gives the same octets."""
import math

from .growth import SUBJECTS, exponent
from .judge import generator_bound, median
from .rows import METRICS, NAMES, OURS, ROWS
from .svg import Drawing
from .words import figure

COLUMNS, PANEL, GAP = 2, 430, 16
NAME, LABEL, LINE, BAR, TITLE, HEAD, FOOT = 78, 122, 18, 12, 24, 62, 34


def ratios(rows, shown):
    """The panels of one figure: a row, one of its metrics, and the other daemons' multiples of ours."""
    panels = []
    for name in ROWS:
        for metric in shown(ROWS[name]) if name in rows else ():
            ours = median(rows[name], OURS, metric)
            others = [(d, value) for d in rows[name]["daemons"] if d != OURS
                      if (value := median(rows[name], d, metric)) is not None]
            if ours and others:
                panels.append((name, metric, ours, others))
    return panels


def metric_is_time(panels):
    """Whether a figure is about time."""
    return any(metric == "time" for _, metric, *_ in panels)


def bars(rows, title, shown):
    """One panel a row: how many times ours each other daemon needs, on a scale of powers."""
    panels = ratios(rows, shown)
    if not panels:
        return None
    all_ratios = [value / ours for _, _, ours, others in panels for _, value in others]
    low, high = min(0.5, *all_ratios), max(2, *all_ratios)
    left, right = NAME + 6, PANEL - LABEL

    def place(ratio):
        """Where in its panel a ratio lies."""
        return left + (right - left) * math.log(ratio / low) / math.log(high / low)

    tallest = TITLE + LINE * max(len(others) for *_, others in panels) + 12
    lines = math.ceil(len(panels) / COLUMNS)
    height = HEAD + lines * tallest + (FOOT if metric_is_time(panels) else 0)
    drawing = Drawing(COLUMNS * PANEL + (COLUMNS + 1) * GAP, height, title)
    drawing.text(GAP, 24, title, "bold")
    drawing.text(GAP, 42, "The others as a multiple of the route reflector (the blue line; its figure is in the "
                 "title), logarithmic, grey lines at powers of ten.", "faint")
    for index, (name, metric, ours, others) in enumerate(panels):
        x = GAP + (index % COLUMNS) * (PANEL + GAP)
        y = HEAD + (index // COLUMNS) * tallest
        bound = metric == "time" and generator_bound(rows[name]["daemons"][OURS])
        label = f"{name} {ROWS[name].short}{', ' + metric if metric in ('p50', 'p99') else ''}"
        drawing.text(x, y + 14, f"{label}: {figure(ours)} {METRICS[metric][1]}{' †' if bound else ''}", "bold")
        bottom = y + TITLE + LINE * len(others)
        for tick in (t for t in (0.1, 1, 10, 100, 1000) if low <= t <= high and t != 1):
            drawing.line(x + place(tick), y + TITLE - 2, x + place(tick), bottom - 4, "grid")
        for line, (daemon, value) in enumerate(others):
            top, ratio = y + TITLE + line * LINE, value / ours
            drawing.text(x, top + 10, NAMES.get(daemon, daemon), "faint")
            drawing.bar(x + place(1), x + place(ratio), top, BAR, "more" if ratio >= 1 else "less")
            drawing.text(x + place(max(ratio, 1)) + 6, top + 10,
                         f"{figure(value)} {METRICS[metric][1]} · {figure(ratio)}×")
        drawing.line(x + place(1), y + TITLE - 2, x + place(1), bottom, "ours")
    if metric_is_time(panels):
        drawing.text(GAP, height - 14, "† the load generator was busy for nearly all of the time: ours may be less.",
                     "faint")
    return str(drawing)


def growth(measured):
    """Time, CPU and memory against routes and against receivers, both axes logarithmic."""
    subjects = [(name, points) for name in SUBJECTS if (points := measured.get(name, {}).get("points"))]
    if not subjects:
        return None
    width, tall, metrics = 290, 220, ("time", "cpu", "rss_mb")
    title = "Growth of the route reflector with routes and with receivers"
    drawing = Drawing(len(metrics) * width, 40 + len(subjects) * tall, title)
    drawing.text(GAP, 24, title, "bold")
    for line, (subject, points) in enumerate(subjects):
        for column, metric in enumerate(metrics):
            pairs = [(p["n"], p["median"][metric]) for p in points if p["median"].get(metric)]
            panel(drawing, column * width, 40 + line * tall, width, tall, subject, metric, pairs)
    return str(drawing)


def decades(values):
    """The powers of ten around values."""
    return math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9)


def panel(drawing, x, y, width, tall, subject, metric, pairs):
    """One metric against the number of routes or receivers, with the line of its exponent."""
    name, unit = METRICS[metric]
    if not pairs:
        return
    (x_low, x_high), (y_low, y_high) = decades([n for n, _ in pairs]), decades([v for _, v in pairs])
    left, right, top, bottom = x + 58, x + width - 20, y + 28, y + tall - 34

    def across(n):
        return left + (right - left) * (math.log10(n) - x_low) / max(x_high - x_low, 1)

    def up(value):
        return bottom - (bottom - top) * (math.log10(value) - y_low) / max(y_high - y_low, 1)

    for power in range(x_low, x_high + 1):
        drawing.line(across(10 ** power), top, across(10 ** power), bottom, "grid")
        drawing.text(across(10 ** power), bottom + 15, count(10 ** power), "faint", "middle")
    for power in range(y_low, y_high + 1):
        drawing.line(left, up(10 ** power), right, up(10 ** power), "grid")
        drawing.text(left - 6, up(10 ** power) + 4, f"{10 ** power:g} {unit}", "faint", "end")
    drawing.text((left + right) / 2, bottom + 29, subject, "faint", "middle")
    fit = exponent(pairs)
    drawing.text(left, y + 18, name + (f": exponent {fit[0]:.2f}" if fit else ""), "bold")
    if fit:
        power, factor = fit
        ends = [n for n, _ in (pairs[0], pairs[-1])]
        drawing.line(*(c for n in ends for c in (across(n), up(factor * n ** power))), "fit")
    for n, value in pairs:
        drawing.point(across(n), up(value))


def count(n):
    """A round number, short."""
    for size, mark in ((10 ** 6, "M"), (10 ** 3, "k")):
        if n >= size:
            return f"{n / size:g}{mark}"
    return f"{n:g}"


def all_charts(comparison, measured):
    """Every figure that there is something to draw for, by file name."""
    rows = comparison.get("rows", {})
    drawn = {
        "time.svg": bars(rows, "Time to convergence (S6: latency)", lambda row: row.times),
        "cpu.svg": bars(rows, "CPU time of the daemon", lambda _: ("cpu",)),
        "memory.svg": bars(rows, "Peak memory of the daemon", lambda _: ("rss_mb",)),
        "growth.svg": growth(measured),
    }
    return {name: text for name, text in drawn.items() if text}
