"""The tables of what bad peers cost the others, from what bench/hostile has written."""
from .rows import NAMES
from .words import figure, table

# As bench/hostile names them: what each scenario is about.
SCENARIOS = {
    "slow": "A table and churn beside peers that read 10 KB/s",
    "stuck": "The same beside peers that read nothing any more",
    "flood": "Small changes beside a peer that changes 10k prefixes without end",
    "flood-3s": "The same at a hold time of 3 s",
    "flood-new": "Small changes beside a peer that announces up to its limit, again and again",
    "reconnect": "Small changes while all other clients drop and come back at once",
    "idle": "Sessions without routes, hold time 90 s → 240 s",
    "memory": "Ten senders of the same table go away",
    "memory-other": "Ten senders of a table each go away",
}


def cell(runs, name):
    """A figure of all runs of one daemon: without → with the bad peer, where there are two."""
    return " → ".join(figure(run["figures"].get(name)) for run in runs)


def scenario_table(runs):
    """One scenario: a line for each figure, a column for each daemon, and what went wrong."""
    daemons = list(dict.fromkeys(run["daemon"] for run in runs))
    names = list(dict.fromkeys(name for run in runs for name in run["figures"]))
    of = {daemon: [run for run in runs if run["daemon"] == daemon] for daemon in daemons}
    lines = [[name, *(cell(of[daemon], name) for daemon in daemons)] for name in names]
    faults = [f"- {NAMES.get(run['daemon'], run['daemon'])}, {run['run']}: {line}"
              for run in runs for line in (*run["faults"], *run["notes"])]
    text = table(["", *(NAMES.get(daemon, daemon) for daemon in daemons)], lines)
    return "\n\n".join([text, "\n".join(faults)] if faults else [text])


def tables(kept):
    """All scenarios, each under what it is about."""
    parts = []
    for scenario in dict.fromkeys(run["scenario"] for run in kept["runs"]):
        runs = [run for run in kept["runs"] if run["scenario"] == scenario]
        parts.append(f"{SCENARIOS.get(scenario, scenario)}:\n\n{scenario_table(runs)}")
    return "\n\n".join(parts)
