"""Where the CPU time of the reflector goes in a row: perf, by thread and by function."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from . import runner
from .rows import OURS

# Outside of git. What perf has recorded stays there, for flame graphs and for a closer look.
KEPT = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or runner.PROJECT / "target") / "profile"
SAMPLES, FUNCTIONS = 999, 20


def record(bench, name, sets, small):
    """Runs a row once with perf around the daemon; the file with the samples."""
    data = KEPT / f"{name}.data"
    with tempfile.TemporaryDirectory() as folder:
        wrapper = pathlib.Path(folder, "daemon")
        daemon = runner.load_adapter().binary
        wrapper.write_text(f'#!/bin/sh\nexec perf record -q -g -F {SAMPLES} -o "{data}" -- "{daemon}" "$@"\n')
        wrapper.chmod(0o755)
        runner.run(bench, name, [OURS], 1, sets, small=small, cmd=wrapper)
    return data


def shares(data, key):
    """Shares of all samples by `key`, the largest first."""
    command = ["perf", "report", "-q", "--no-children", "-g", "none", "-i", str(data), "--sort", key]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    # Columns that perf has nothing for are dashes.
    return [line.rstrip(" -") for line in lines if line.strip()]


def profile(bench, rows, small):
    """Prints for each row who took the samples."""
    if not shutil.which("perf"):
        sys.exit("perf is not installed")
    KEPT.mkdir(parents=True, exist_ok=True)
    for name, row in rows.items():
        data = record(bench, name, () if small else row.sets, small)
        print(f"\n{name}  {row.what}: {data}")
        for key in ("comm,dso", "symbol"):
            print("\n".join(shares(data, key)[:FUNCTIONS]))
