"""Runs the benchmark and reduces its results to what the document needs."""
import importlib.util
import json
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
ADAPTER = HERE.parent / "route-reflector.py"


def check(bench):
    """The benchmark's script, or an end that says how to name it."""
    script = pathlib.Path(bench) / "run.py"
    if not script.is_file():
        sys.exit(f"no {script}: set BENCH to the directory of the benchmark (BENCH=DIR, where DIR/run.py is)")
    return script.resolve()


def raise_descriptors():
    """Thousands of sessions need as many descriptors, in the daemons and in the generator."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def load_adapter():
    """Our adapter: how the route reflector is configured and started."""
    spec = importlib.util.spec_from_file_location("route_reflector", ADAPTER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def in_namespace(command, setting):
    """The command in a network namespace of ours, with a setting of the kernel; the benchmark then makes none."""
    return ["unshare", "-n" if os.geteuid() == 0 else "-rn", "sh", "-c", f'sysctl -qw "{setting}" && exec "$@"', "sh",
            *command]


def run(bench, scenario, daemons, reps, sets=(), adapters=(ADAPTER,), small=False, nice=0, timeout=120,
        receive_buffer=None, cmd=None, env=None):
    """One scenario, the daemons in turns; what the benchmark says of it.

    `receive_buffer` bounds what the kernel keeps for each receiver, in octets. `cmd` is started in place of our daemon.
    """
    raise_descriptors()
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "results.json")
        command = [sys.executable, str(check(bench)), "--scenarios", scenario, "--daemons", ",".join(daemons),
                   "--reps", str(reps), "--nice", str(nice), "--timeout", str(timeout), "--out", out]
        for adapter in adapters:
            command += ["--adapter", str(adapter)]
        for setting in sets:
            command += ["--set", setting]
        if small:
            command.append("--small")
        if cmd:
            command += ["--cmd", str(cmd)]
        environment = {**os.environ, **(env or {})}
        if receive_buffer:
            command = in_namespace(command, f"net.ipv4.tcp_rmem=4096 131072 {receive_buffer}")
            environment["BENCH_NS"] = "1"
        ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
        if ended.returncode or not os.path.exists(out):
            sys.exit(f"the benchmark ended with {ended.returncode}\n{ended.stdout}")
        with open(out) as file:
            return json.load(file)


def installed(bench):
    """The daemons that the benchmark knows and finds on this machine."""
    command = [sys.executable, str(check(bench)), "--list"]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return {line.split()[0] for line in lines if not line.endswith("not found")}


def sample(result, phase):
    """One repetition: the figures of its timed phase, or `None` if it did not come to its end."""
    timed = next((p for p in result.get("phases", ()) if p["name"] == phase), None)
    if not timed or not timed["ok"]:
        return None
    figures = {
        "time": timed["seconds"],
        "cpu": timed["daemon_cpu_s"],
        "rss_mb": result["peak_rss_kb"] / 1024,
        "updates": timed["rx_updates"],
        "rx_mb": timed["rx_bytes"] / 1e6,
        "gen_cpu": timed["blast_cpu_s"],
        "other_cpu": timed["other_cpu_s"],
    }
    if "latency" in timed:
        latency = timed["latency"]
        figures |= {"p50": latency["p50_ms"], "p99": latency["p99_ms"],
                    "missing": latency["expected"] - latency["samples"]}
    return {name: round(value, 4) for name, value in figures.items()}


def summarise(results, phase):
    """All repetitions of one daemon: each that came to its end, their medians and spreads, how many were verified."""
    runs = [s for s in (sample(result, phase) for result in results) if s]
    names = runs[0] if runs else ()
    errors = sorted({str(r.get("error") or "verification failed") for r in results if not r["ok"]})
    return {
        "reps": len(results),
        "ok": sum(1 for r in results if r["ok"]),
        "median": {n: round(statistics.median(r[n] for r in runs), 4) for n in names},
        "spread": {n: round(max(r[n] for r in runs) - min(r[n] for r in runs), 4) for n in names},
        "runs": runs,
        "errors": errors,
    }


def reduce(raw):
    """The one scenario of `raw`, by daemon."""
    (scenario,) = raw["scenarios"].values()
    daemons = {name: summarise(results, scenario["phase"]) for name, results in scenario["runs"].items()}
    return {"started": raw["started"], "commit": commit(), "args": scenario["args"], "daemons": daemons}


def commit():
    """Which state of the project was measured. What is written there while measuring makes it no other one."""
    def git(*words):
        return subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


def machine():
    """What it was measured on."""
    with open("/proc/cpuinfo") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    congestion = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    return {"kernel": platform.release(), "cpus": os.cpu_count(), "cpu": models[0] if models else platform.machine(),
            "congestion": congestion}
