"""What can be asked for on the command line."""
import argparse
import json
import pathlib
import tempfile

from . import charts, dataplane, document, idle, profile, runner, sessions, soak
from .growth import SUBJECTS
from .judge import judge, median
from .rows import METRICS, NAMES, OTHERS, OURS, ROWS
from .words import columns, figure

DOCS = runner.PROJECT / "docs"
KEPT = DOCS / "performance"
DOCUMENT = DOCS / "performance.md"
# Seconds for one repetition: thousands of receivers take the generator a while on a busy machine.
PATIENCE = 600
LIMITS = ("limit-65536", "limit-4096")


def load(name):
    """What is kept under a name; nothing if there is none."""
    file = KEPT / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else {}


def store(file, value):
    """Keeps a result, always written in the same way."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value, indent=1) + "\n")


def listed(text):
    """A list with commas."""
    return [word for word in text.split(",") if word]


def show_row(name, row):
    """One row as a table on the terminal."""
    metrics = (*ROWS[name].times, "cpu", "rss_mb", "updates", "gen_cpu", "other_cpu")
    titles = [f"{METRICS[m][0]} {METRICS[m][1]}" if m in METRICS else m for m in metrics]
    lines = [[NAMES.get(d, d), f"{f['ok']}/{f['reps']}", *(figure(f["median"].get(m)) for m in metrics)]
             for d, f in row["daemons"].items()]
    print(f"\n{name}  {ROWS[name].what}")
    print(columns(["", "ok", *titles], lines))
    for daemon, figures in row["daemons"].items():
        for error in figures["errors"]:
            print(f"  {NAMES.get(daemon, daemon)}: {error}")


def show_bars(rows, small):
    """Each bar on the terminal, and whether it is met."""
    lines = [[f"{v.row} {METRICS[v.metric][0]}", figure(v.ours), figure(v.other), NAMES.get(v.against, v.against),
              f"{v.ratio:.2f}", f"<= {v.most:.2f}", "met" if v.met else "MISSED"] for v in judge(rows)]
    print()
    print(columns(["", "ours", "other", "whose", "ratio", "bar", ""], lines))
    if small:
        print("These sizes are for a look: the bars are for full size.")


def merge(kept, measured):
    """Rows measured anew replace those kept; those kept with other versions or on another machine go."""
    if any(kept.get(part) != measured[part] for part in ("machine", "small")):
        return measured
    versions = kept.get("versions", {}) | measured["versions"]
    if any(kept["versions"].get(name, version) != version for name, version in measured["versions"].items()):
        return measured
    return {**measured, "versions": versions, "rows": {**kept.get("rows", {}), **measured["rows"]}}


def chosen(row, options):
    """The daemons beside ours. At full size a row's own list leaves out those that do not get to its end."""
    wanted = listed(options.daemons) if options.daemons else OTHERS
    return [d for d in wanted if d != OURS and (options.small or d in row.daemons or d not in OTHERS)]


def run(options):
    """The rows of the comparison."""
    file = pathlib.Path(options.json) if options.json else None if options.small else KEPT / "comparison.json"
    result = {"command": "make bench BENCH=DIR", "machine": runner.machine(), "small": options.small, "versions": {},
              "rows": {}}
    installed = runner.installed(options.bench)
    for name in listed(options.rows) if options.rows else ROWS:
        row = ROWS[name]
        daemons = [d for d in chosen(row, options) if d in installed]
        # Full sizes of a row are no sizes for a look.
        sets = () if options.small else row.sets
        raw = runner.run(options.bench, name, [OURS, *daemons], options.reps or row.reps, sets, small=options.small,
                         nice=options.nice)
        result["versions"] |= raw["versions"]
        result["rows"][name] = {"reps": raw["reps"], **runner.reduce(raw)}
        show_row(name, result["rows"][name])
        if file:
            # After each row, so that a run that is ended is not lost.
            store(file, merge(json.loads(file.read_text()) if file.exists() else {}, result))
    show_bars(result["rows"], options.small)
    if file and file.parent == KEPT:
        render(options)


def limit(options):
    """S2 beside the bare program, the two in turns."""
    folder = runner.HERE.parent / "limit"
    adapters = [folder / f"{name}.py" for name in LIMITS]
    with tempfile.TemporaryDirectory() as scratch:
        env = {"LIMIT_STREAM": str(pathlib.Path(scratch, "stream"))}
        arguments = {"adapters": [runner.ADAPTER, *adapters], "env": env, "small": options.small, "nice": options.nice}
        # The first run makes the octets that the others write.
        runner.run(options.bench, "S2", LIMITS[:1], 1, **arguments)
        raw = runner.run(options.bench, "S2", [OURS, *LIMITS], options.reps or 5, **arguments)
    result = {"command": "make bench-limit BENCH=DIR", "machine": runner.machine(), **runner.reduce(raw)}
    show_row("S2", result)
    for name in LIMITS:
        ours, bare = median(result, OURS, "time"), median(result, name, "time")
        if ours and bare:
            print(f"{name}: ours takes {ours / bare:.2f} times as long (bar: 1.50)")
    if not options.small:
        store(KEPT / "limit.json", result)
        render(options)


def growth(options):
    """Each subject at each size. What was measured before at other sizes stays."""
    chosen = {"routes": options.routes, "receivers": options.receivers}
    result = load("growth")
    # In a namespace that is ready-made the benchmark does not build its generator: this run does.
    runner.run(options.bench, "S1", [OURS], 1, small=True)
    for subject, how in SUBJECTS.items():
        sizes = how.sizes if chosen[subject] is None else [int(n) for n in listed(chosen[subject])]
        for n in sizes:
            raw = runner.run(options.bench, how.scenario, [OURS], options.reps or 3, [f"{how.setting}={n}"],
                             nice=options.nice, timeout=PATIENCE, receive_buffer=how.receive_buffer)
            reduced = runner.reduce(raw)
            point = {"n": n, "started": reduced["started"], "commit": reduced["commit"], **reduced["daemons"][OURS]}
            others = [p for p in result.get(subject, {}).get("points", []) if p["n"] != n]
            result[subject] = {"scenario": how.scenario, "receive_buffer": how.receive_buffer,
                               "points": sorted([*others, point], key=lambda p: p["n"])}
            result["command"], result["machine"] = "make bench-growth BENCH=DIR", runner.machine()
            store(KEPT / "growth.json", result)
            middle = point["median"]
            print(f"{subject} {n:,}: {point['ok']}/{point['reps']} right, {figure(middle.get('time'))} s, "
                  f"CPU {figure(middle.get('cpu'))} s, {figure(middle.get('rss_mb'))} MB", flush=True)
            for error in point["errors"]:
                print(f"  {error}")
    render(options)


def measure_idle(options):
    """Sessions without anything to say."""
    result = idle.measure(options.sessions, options.seconds)
    print(f"{result['sessions']:,} sessions: {result['cpu']} s of CPU in {result['seconds']} s, "
          f"{100 * result['share']:.2f} % of a core, {result['rss_mb']} MB")
    store(KEPT / "idle.json", result)
    render(options)


def measure_sessions(options):
    """Many sessions for a long time, and all of them again at once."""
    result = sessions.measure(options.sessions, options.minutes, options.times)
    print(sessions.summary(result))
    sessions.KEPT.parent.mkdir(parents=True, exist_ok=True)
    sessions.KEPT.write_text(sessions.text(result["rows"]))
    if result["ended"]:
        raise SystemExit("sessions ended")


def measure_dataplane(options):
    """Packets from pod to pod, with and without tunnels."""
    result = dataplane.measure(pathlib.Path(options.speaker).resolve(), options.reps, options.seconds)
    print(dataplane.tables(result))
    if not options.small:
        store(KEPT / "dataplane.json", result)
        render(options)


def take_profile(options):
    """Where our CPU time goes in a row, by perf."""
    profile.profile(options.bench, {name: ROWS[name] for name in listed(options.rows)}, options.small)


def render(_):
    """The document's tables and charts from what is kept."""
    kept = [load(name) for name in ("comparison", "growth", "limit", "idle", "hostile", "fib", "dataplane")]
    DOCUMENT.write_text(document.rewrite(DOCUMENT.read_text(), document.sections(*kept)))
    for name, drawing in charts.all_charts(kept[0], kept[1]).items():
        (KEPT / name).write_text(drawing)
    if soak.KEPT.exists():
        soak.CHART.write_text(soak.chart(soak.KEPT.read_text()))


def main(description):
    """Reads the command line and does what it says."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, act, measures=True):
        added = commands.add_parser(name, help=act.__doc__)
        added.set_defaults(act=act)
        if measures:
            added.add_argument("--bench", required=True, metavar="DIR", help="the directory of the benchmark")
            added.add_argument("--check", action="store_true", help="only see whether it is there")
            added.add_argument("--reps", type=int, help="repetitions instead of those of the row")
            added.add_argument("--nice", type=int, default=0, help="niceness of daemons and generator")
        return added

    added = command("run", run)
    added.add_argument("--rows", help="some of " + ",".join(ROWS))
    added.add_argument("--daemons", help="those beside ours, instead of the row's")
    added.add_argument("--small", action="store_true", help="smaller sizes; nothing is kept")
    added.add_argument("--json", metavar="FILE", help="keep the result there, and leave the document alone")
    command("limit", limit).add_argument("--small", action="store_true", help="a smaller size; nothing is kept")
    added = command("growth", growth)
    for subject, how in SUBJECTS.items():
        added.add_argument(f"--{subject}", help=f"instead of {','.join(map(str, how.sizes))}; empty for none")
    added = command("idle", measure_idle, measures=False)
    added.add_argument("--sessions", type=int, default=1000)
    added.add_argument("--seconds", type=int, default=120)
    added = command("sessions", measure_sessions, measures=False)
    added.add_argument("--sessions", type=int, default=1000)
    added.add_argument("--minutes", type=int, default=60)
    added.add_argument("--times", type=int, default=3, help="how often all of them come again at once")
    added = command("dataplane", measure_dataplane, measures=False)
    added.add_argument("--speaker", required=True, metavar="FILE", help="the program bgp-speaker")
    added.add_argument("--reps", type=int, default=5)
    added.add_argument("--seconds", type=int, default=5, help="for each run of iperf3")
    added.add_argument("--small", action="store_true", help="nothing is kept")
    added = command("profile", take_profile)
    added.add_argument("--rows", default="S1,S2,S3", help="some of " + ",".join(ROWS))
    added.add_argument("--small", action="store_true", help="smaller sizes")
    command("render", render, measures=False)
    options = parser.parse_args()
    if hasattr(options, "bench"):
        runner.check(options.bench)
    if not getattr(options, "check", False):
        options.act(options)
