"""The tables of docs/performance.md, between markers that name them."""
import re

from . import dataplane, fib, hostile
from .growth import SUBJECTS, bends, exponent
from .judge import generator_bound, judge, median
from .rows import METRICS, NAMES, OURS, ROWS
from .words import around, figure, table

MARKED = re.compile(r"(<!-- measured: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def side_by_side(comparison):
    """Medians of every row, daemon and metric."""
    rows = comparison.get("rows", {})
    daemons = [d for d in NAMES if any(d in row["daemons"] for row in rows.values())]
    lines = []
    for name in (n for n in ROWS if n in rows):
        label = f"**{name}** {ROWS[name].what} ({times(rows[name]['reps'])})"
        for metric in (*ROWS[name].times, "cpu", "rss_mb"):
            cells = [cell(rows[name]["daemons"].get(d), metric) for d in daemons]
            lines.append([label, f"{METRICS[metric][0]}, {METRICS[metric][1]}", *cells])
            label = ""
    return table(["", "", *(NAMES[d] for d in daemons)], lines)


def times(reps):
    """How many repetitions, in words."""
    return "1 run" if reps == 1 else f"{reps} runs"


def cell(figures, metric):
    """One daemon's median, for time with half of what its repetitions are apart."""
    if not figures:
        return ""
    if figures["ok"] < figures["reps"]:
        return f"{figures['reps'] - figures['ok']} of {figures['reps']} failed"
    value, spread = figures["median"][metric], figures["spread"][metric]
    text = around(value, spread) if metric in ("time", "p50", "p99") else figure(value)
    return text + (" †" if metric == "time" and generator_bound(figures) else "")


def bars(comparison):
    """Each bar: the ratio, what it may be, against whom."""
    lines = {}
    for verdict in judge(comparison.get("rows", {})):
        column = {"cpu": 1, "rss_mb": 2}.get(verdict.metric, 0)
        against = NAMES.get(verdict.against, verdict.against)
        text = f"{verdict.ratio:.2f} of {against} (≤ {verdict.most:.2f})"
        if verdict.metric in ("p50", "p99"):
            text = f"{verdict.metric} {text}"
        cells = lines.setdefault(verdict.row, ["", "", ""])
        cells[column] = "; ".join(filter(None, [cells[column], text if verdict.met else f"**{text}: missed**"]))
    return table(["", "time", "CPU", "peak memory"], [[name, *cells] for name, cells in lines.items()])


def measured(machine, parts):
    """When, at which state of the project and on what."""
    days = " and ".join(sorted({part["started"][:10] for part in parts}))
    commits = ", ".join(f"`{commit}`" for commit in sorted({part["commit"] for part in parts}))
    return (f"Measured {days} at {commits}, on {machine['cpus']} CPUs ({machine['cpu']}), "
            f"Linux {machine['kernel']}, {machine['congestion']}.")


def provenance(comparison):
    """Of the comparison, with the versions of the others."""
    versions = [f"{NAMES.get(d, d)} (`{v}`)" for d, v in comparison["versions"].items() if d != OURS]
    return f"{measured(comparison['machine'], comparison['rows'].values())} Beside: {', '.join(versions)}."


def growth_tables(growth):
    """A table for routes and one for receivers: figures, exponents, and the exponent of each step."""
    parts = []
    for subject, how in SUBJECTS.items():
        points = growth.get(subject, {}).get("points", [])
        if not points:
            continue
        steps = {metric: [None, *bends(points, metric)] for metric in ("time", "cpu", "rss_mb")}
        lines = []
        for index, point in enumerate(points):
            cells = [f"{point['n']:,}"]
            for metric in steps:
                step = steps[metric][index]
                cells += [figure(point["median"].get(metric)), "" if step is None else f"{step:.2f}"]
            failed = point["reps"] - point["ok"]
            lines.append([*cells, f"{failed} of {point['reps']} failed" if failed else ""])
        fits = ["exponent of all"]
        for metric in steps:
            fit = exponent([(p["n"], p["median"].get(metric) or 0) for p in points])
            fits += ["", f"{fit[0]:.2f}" if fit else ""]
        told = measured(growth["machine"], points)
        parts.append(f"{how.scenario} with other numbers of {subject}. {told}\n\n" + table(
            [subject, "time, s", "step", "CPU, s", "step", "peak MB", "step", ""], [*lines, [*fits, ""]]))
    return "\n\n".join(parts)


def point(growth, subject, n):
    """The medians at one number of routes or receivers, if it was measured and came out right."""
    found = next((p for p in growth.get(subject, {}).get("points", []) if p["n"] == n), None)
    return found["median"] if found and found["ok"] == found["reps"] else None


def own_bars(comparison, growth, limit, idle):
    """What is asked of the reflector alone: lines of what, measured, bar, and whether it is met."""
    lines = []

    def add(what, value, most, unit):
        lines.append((what, f"{figure(value)} {unit}", f"≤ {figure(most)} {unit}", value <= most))

    many = point(growth, "receivers", 1_000)
    frr = median(comparison.get("rows", {}).get("S2"), "frr", "time")
    if many and frr:
        add("100k routes to 1,000 clients, against twice FRR's time for 200", many["time"], 2 * frr, "s")
    if many:
        add("100k routes to 1,000 clients, peak memory", many["rss_mb"], 150, "MB")
    if full := point(growth, "routes", 4_000_000):
        add("4M routes, octets a route of peak memory", full["rss_mb"] * 2 ** 20 / 4e6, 150, "octets")
    if idle:
        add(f"idle with {idle['sessions']:,} sessions, share of a core", 100 * idle["share"], 0.5, "%")
    for name in limit.get("daemons", {}):
        ours, bare = median(limit, OURS, "time"), median(limit, name, "time")
        if name != OURS and ours and bare:
            octets = int(name.removeprefix("limit-"))
            add(f"S2, times the bare program with writes of {octets // 1024} KiB", ours / bare, 1.5, "")
    return lines


def own_table(lines):
    """The bars of our own as a table."""
    return table(["", "measured", "bar", ""],
                 [[what, value.strip(), bar.strip(), "" if met else "**missed**"]
                  for what, value, bar, met in lines])


def limit_table(limit):
    """The reflector beside the program that only writes."""
    lines = []
    for name, figures in limit.get("daemons", {}).items():
        label = NAMES.get(name) or f"writes of {int(name.removeprefix('limit-')) // 1024} KiB"
        others = (figures["median"].get(metric) for metric in ("cpu", "gen_cpu", "rx_mb", "updates"))
        lines.append([label, cell(figures, "time"), *map(figure, others)])
    head = ["S2", "time, s", "CPU, s", "CPU of the generator, s", "MB received", "UPDATEs"]
    return f"{measured(limit['machine'], [limit])}\n\n{table(head, lines)}"


def sections(comparison, growth, limit, idle, bad_peers=None, routes=None, packets=None):
    """Every table that there is something to put into, by the name of its marker."""
    made = {}
    if comparison.get("rows"):
        made |= {"side-by-side": side_by_side(comparison), "bars": bars(comparison),
                 "provenance": provenance(comparison)}
    if bad_peers:
        made["hostile"] = hostile.tables(bad_peers)
    if routes:
        made |= {"fib": f"{measured(routes['machine'], [routes])}\n\n{fib.tables(routes)}", "fib-bars": fib.bars(routes)}
    if packets:
        made["dataplane"] = f"{measured(packets['machine'], [packets])}\n\n{dataplane.tables(packets)}"
    if growth:
        made["growth"] = growth_tables(growth)
    if limit:
        made["limit"] = limit_table(limit)
    if lines := own_bars(comparison, growth, limit, idle):
        made["own"] = own_table(lines)
    return made


def rewrite(text, made):
    """The document with the tables that were made; what is not made stays as it is."""
    def replace(match):
        begin, name, end = match.groups()
        return f"{begin}\n{made[name]}\n\n{end}" if name in made else match.group(0)
    return MARKED.sub(replace, text)
