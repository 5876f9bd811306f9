"""The rows of the comparison, and what each is to reach."""
from dataclasses import dataclass

OURS = "route-reflector"
OTHERS = ("bird", "frr", "openbgpd")
NAMES = {OURS: "route-reflector", "bird": "BIRD", "frr": "FRR", "openbgpd": "OpenBGPD", "gobgp": "GoBGP"}

# What is measured, how it is called, and its unit.
METRICS = {
    "time": ("time", "s"),
    "cpu": ("CPU", "s"),
    "rss_mb": ("peak memory", "MB"),
    "p50": ("latency p50", "ms"),
    "p99": ("latency p99", "ms"),
}


@dataclass(frozen=True)
class Bar:
    """Our median of `metric` is to be at most `most` times the one it is held against."""
    metric: str
    most: float
    # "best": the least of all others; else a daemon, or a row of ours.
    against: str = "best"


def bars(time, cpu, memory):
    """The usual three."""
    return Bar("time", time), Bar("cpu", cpu), Bar("rss_mb", memory)


@dataclass(frozen=True)
class Row:
    """One workload of the benchmark, a scenario of the same name."""
    short: str
    what: str
    bars: tuple
    sets: tuple = ()
    reps: int = 3
    daemons: tuple = OTHERS
    # The metrics that stand for time; the churn of S6 takes as long as it is told to.
    times: tuple = ("time",)


ROWS = {
    "S1": Row("full table", "full table: one sender, 1M prefixes, two receivers", bars(0.40, 0.50, 1.0)),
    "S2": Row("fan-out to 200", "fan-out: 100k prefixes to 200 clients", bars(0.30, 0.15, 1.0)),
    "S3": Row("ten senders", "many paths: ten senders of the same 200k", bars(0.30, 0.30, 1.0)),
    "S4": Row("500 nodes", "500 nodes with 4 blocks each, all to all", bars(0.80, 0.80, 1.5), reps=7),
    "S5": Row("best sender dies", "the best of ten senders of 200k dies", bars(0.30, 0.30, 1.0)),
    "S5w": Row("only sender dies", "the only sender of 2M dies", bars(0.70, 0.50, 1.0), sets=("prefixes=2000000",)),
    "S6": Row("churn", "1,000 prefixes every 100 ms to 100 clients",
              (Bar("p50", 0.5, "bird"), Bar("p99", 0.8, "frr"), Bar("cpu", 0.50), Bar("rss_mb", 1.0)),
              times=("p50", "p99")),
    "S7": Row("100 reconnect", "100 clients of 100k reconnect at once",
              (Bar("time", 0.15), Bar("cpu", 0.10), Bar("rss_mb", 1.3, "S2")), daemons=("frr",)),
    "S8": Row("eBGP, all to all", "eBGP: 50 peers with 2k prefixes each, all to all", bars(0.30, 0.30, 1.0)),
    "S1v6": Row("full IPv6 table", "full IPv6 table: one sender, 200k prefixes, two receivers", bars(0.40, 0.50, 1.0)),
}
