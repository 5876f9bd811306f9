"""What sessions without anything to say cost: the daemon's share of a core, with 1,000 clients that only keep alive."""
import ctypes
import os
import pathlib
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from types import SimpleNamespace

from . import runner

ADDRESS, PORT, ASN, HOLD = "10.255.0.1", 1179, 64512, 90
# A third of the hold time, as is usual.
KEEPALIVE_EVERY = HOLD // 3
KEEPALIVE = b"\xff" * 16 + struct.pack(">HB", 19, 4)
NEW_NETWORK = 0x40000000


def enter_namespace():
    """A network of our own in which all of 10.0.0.0/8 is this machine. Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEW_NETWORK):
        sys.exit(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    for words in ("link set lo up", f"addr add {ADDRESS}/8 dev lo"):
        subprocess.run(["ip", *words.split()], check=True)


def open_message(address):
    """An OPEN with 4-octet AS numbers and IPv4 unicast."""
    capabilities = struct.pack(">BBHBB", 1, 4, 1, 0, 1) + struct.pack(">BBI", 65, 4, ASN)
    octets = len(capabilities)
    body = struct.pack(">BHH4sBBB", 4, ASN, HOLD, socket.inet_aton(address), octets + 2, 2, octets) + capabilities
    return b"\xff" * 16 + struct.pack(">HB", 19 + len(body), 1) + body


def connect(addresses):
    """A session from each address, once the daemon has answered all with OPEN and KEEPALIVE."""
    selector = selectors.DefaultSelector()
    for address in addresses:
        client = socket.create_connection((ADDRESS, PORT), timeout=10, source_address=(address, 0))
        client.sendall(open_message(address) + KEEPALIVE)
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ, bytearray())
    return selector


def read(selector, seconds):
    """Reads for so long what comes; ends everything if a session ends."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            octets = key.fileobj.recv(65536)
            if not octets:
                sys.exit("the daemon has ended a session")
            key.data.extend(octets)


def established(selector):
    """How many sessions have seen a KEEPALIVE."""
    return sum(1 for key in selector.get_map().values() if KEEPALIVE in key.data)


def cpu_seconds(pid):
    """User and system time of a process, in steps of 10 ms."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid):
    """The most resident memory that a process has had."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def start(folder, addresses):
    """The daemon, configured by the adapter of the comparison but for the hold time; it listens."""
    adapter = runner.load_adapter()
    if not adapter.binary:
        sys.exit("build the route reflector first: cargo build --release -p route-reflector")
    peers = [SimpleNamespace(addr=address, asn=ASN) for address in addresses]
    rendered = adapter.render(SimpleNamespace(asn=ASN, router_id=ADDRESS, cluster_id=ADDRESS, addr=ADDRESS, port=PORT,
                                              families=["ipv4"], ebgp=False, dir=folder, cmd=None, peers=peers))
    for name, text in rendered["files"].items():
        pathlib.Path(folder, name).write_text(text)
    daemon = subprocess.Popen(rendered["argv"], cwd=folder)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex((ADDRESS, PORT)) == 0:
                return daemon
        time.sleep(0.1)
    daemon.kill()
    sys.exit("the daemon does not listen")


def measure(sessions, seconds):
    """Brings up `sessions`, waits a little, and looks at what the daemon takes for `seconds`."""
    runner.raise_descriptors()
    enter_namespace()
    addresses = [f"10.2.{i // 200}.{1 + i % 200}" for i in range(sessions)]
    with tempfile.TemporaryDirectory() as folder:
        daemon = start(folder, addresses)
        try:
            selector = connect(addresses)
            read(selector, 5)
            if established(selector) < sessions:
                sys.exit(f"{established(selector)} of {sessions} sessions came up")
            taken, rounds = 0.0, max(1, seconds // KEEPALIVE_EVERY)
            for _ in range(rounds):
                for key in selector.get_map().values():
                    key.fileobj.send(KEEPALIVE)
                before = cpu_seconds(daemon.pid)
                read(selector, KEEPALIVE_EVERY)
                taken += cpu_seconds(daemon.pid) - before
            span = rounds * KEEPALIVE_EVERY
            return {"started": time.strftime("%Y-%m-%dT%H:%M:%S"), "commit": runner.commit(),
                    "machine": runner.machine(), "sessions": sessions, "seconds": span, "cpu": round(taken, 2),
                    "share": round(taken / span, 6), "rss_mb": round(peak_mb(daemon.pid), 1)}
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(10)
