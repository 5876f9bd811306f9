"""Packets from pod to pod: direct, through VXLAN and, where the kernel has it, through IPIP.

    pod a ── node a ── node b ── pod b      four network namespaces; a bgp-speaker on each node sets all of it up
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from . import runner
from .words import around, figure, table

ASN, GATEWAY = 64512, "169.254.1.1"
# The keys of the pool, the interface by which packets leave a node, and the largest packet of a pod.
MODES = {
    "direct": ("", "eth0", 1500),
    "VXLAN": ('vxlan-mode = "always"\n', "vxlan.bgp", 1450),
    "IPIP": ('ipip-mode = "always"\n', "tunl0", 1480),
}
# Octets of the payload of a UDP packet.
SMALL = 64
METRICS = {"tcp": "TCP, Gbit/s", "udp": f"UDP of {SMALL} octets, 1000 packets/s"}
# Seconds until a route or an answer has to be there.
PATIENCE = 20


def ip(words):
    """Runs `ip`."""
    subprocess.run(["ip", *words.split()], check=True)


def has_ipip():
    """Whether this kernel can make an IPIP device."""
    made = subprocess.run("ip link add probe type ipip remote 192.0.2.9 local 192.0.2.8", shell=True, capture_output=True,
                          check=False)
    return made.returncode == 0


class Node:
    """A node with its pod, and the speaker on it."""

    def __init__(self, number, mode, folder, speaker):
        keys, self.device, mtu = MODES[mode]
        self.name, self.pod_name = (f"bgpdp-{os.getpid()}-{kind}{number}" for kind in ("node", "pod"))
        self.address, self.pod = f"192.0.2.{number}", f"10.244.{number}.2"
        ip(f"netns add {self.name}")
        ip(f"netns add {self.pod_name}")
        ip(f"-n {self.name} link set lo up")
        self.inside("sysctl", "-qw", "net.ipv4.ip_forward=1")
        ip(f"-n {self.name} link add pod0 mtu {mtu} type veth peer name eth0 mtu {mtu} netns {self.pod_name}")
        for words in (f"link set pod0 up|address add {GATEWAY}/32 dev pod0|route add {self.pod}/32 dev pod0".split("|")):
            ip(f"-n {self.name} {words}")
        for words in (f"link set lo up|link set eth0 up|address add {self.pod}/32 dev eth0|"
                      f"route add {GATEWAY} dev eth0|route add default via {GATEWAY}".split("|")):
            ip(f"-n {self.pod_name} {words}")
        self.config = pathlib.Path(folder, f"{number}.toml")
        self.config.write_text(
            f'asn = {ASN}\nrouter-id = "{self.address}"\nlisten = ["{self.address}:179"]\nconnect-retry = 1\n'
            f'[[peers]]\naddress = "192.0.2.{3 - number}"\n[node]\naddress = "{self.address}"\n'
            f'[announce]\nprefixes = ["10.244.{number}.0/26"]\n[[pools]]\ncidr = "10.244.0.0/16"\n{keys}'
            f'[api]\nsocket = "{folder}/{number}.sock"\nlisten = ""\n[log]\nlevel = "warn"\n')
        self.speaker, self.process = speaker, None

    def start(self):
        """Starts the speaker, once the node has its link."""
        ip(f"-n {self.name} address add {self.address}/24 dev eth0")
        ip(f"-n {self.name} link set eth0 up")
        ip(f"-n {self.name} route add default via 192.0.2.254")
        self.process = subprocess.Popen(["ip", "netns", "exec", self.name, str(self.speaker), "--config",
                                         str(self.config)])

    def inside(self, *command):
        """Runs a command on the node."""
        return subprocess.run(["ip", "netns", "exec", self.name, *command], check=True, capture_output=True,
                              text=True).stdout

    def from_pod(self, *command):
        """Runs a command in the pod: how it ended."""
        return subprocess.run(["ip", "netns", "exec", self.pod_name, *command], check=False, capture_output=True, text=True)

    def leads(self, other):
        """Whether packets to the other's pod leave by the right device."""
        shown = subprocess.run(["ip", "-n", self.name, "-j", "route", "get", other.pod], check=False, capture_output=True,
                               text=True)
        return shown.returncode == 0 and json.loads(shown.stdout)[0].get("dev") == self.device

    def end(self):
        """Ends the speaker and removes the namespaces."""
        if self.process:
            self.process.terminate()
            self.process.wait()
        for name in (self.name, self.pod_name):
            subprocess.run(["ip", "netns", "delete", name], check=False)


def eventually(what, check):
    """Waits until something is so."""
    end = time.monotonic() + PATIENCE
    while not check():
        if time.monotonic() > end:
            sys.exit(f"not within {PATIENCE} s: {what}")
        time.sleep(0.1)


def iperf(nodes, seconds, *arguments):
    """One run of iperf3 from the first node's pod to the second's: what its server says in the end."""
    server = subprocess.Popen(["ip", "netns", "exec", nodes[1].pod_name, "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    try:
        for _ in range(20):
            done = nodes[0].from_pod("iperf3", "-c", nodes[1].pod, "-t", str(seconds), "-J", "--get-server-output", *arguments)
            said = json.loads(done.stdout or "{}")
            # A flood of packets may drown iperf3's own connection: then it tells no sums.
            if done.returncode == 0 and any(name.startswith("sum") for name in said.get("end", {})):
                return said["end"]
            time.sleep(0.1)
        sys.exit(f"iperf3: {said.get('error', done.stderr)}")
    finally:
        server.kill()
        server.wait()


def once(mode, speaker, seconds):
    """Both figures of a mode, with everything made anew."""
    with tempfile.TemporaryDirectory() as folder:
        nodes = []
        try:
            nodes += (Node(number, mode, folder, speaker) for number in (1, 2))
            ip(f"-n {nodes[0].name} link add eth0 type veth peer name eth0 netns {nodes[1].name}")
            for node in nodes:
                node.start()
            eventually(f"{mode}: the nodes have each other's routes",
                       lambda: nodes[0].leads(nodes[1]) and nodes[1].leads(nodes[0]))
            eventually(f"{mode}: a ping from pod to pod",
                       lambda: nodes[0].from_pod("ping", "-c1", "-W1", nodes[1].pod).returncode == 0)
            tcp = iperf(nodes, seconds)["sum_received"]
            udp = iperf(nodes, seconds, "-u", "-l", str(SMALL), "-b", "0")["sum"]
            return {"tcp": tcp["bits_per_second"] / 1e9,
                    "udp": (udp["packets"] - udp["lost_packets"]) / udp["seconds"] / 1e3}
        finally:
            for node in nodes:
                node.end()


def measure(speaker, reps, seconds):
    """All modes that this kernel has, in turns."""
    subprocess.run("ip link show >/dev/null && iperf3 --version >/dev/null", shell=True, check=True)
    started = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    modes = [mode for mode in MODES if mode != "IPIP" or has_ipip()]
    values = {mode: {metric: [] for metric in METRICS} for mode in modes}
    for _ in range(reps):
        for mode in modes:
            for metric, value in once(mode, speaker, seconds).items():
                values[mode][metric].append(round(value, 4))
                print(f"{mode}: {METRICS[metric]} {figure(value)}", flush=True)
    missing = [mode for mode in MODES if mode not in modes]
    return {"command": "make bench-dataplane", "machine": runner.machine(), "started": started, "commit": runner.commit(),
            "seconds": seconds, "modes": values, "missing": missing}


def tables(kept):
    """Each mode's figures, and as ratios to direct."""
    lines = []
    for mode, metrics in kept["modes"].items():
        cells = [mode]
        for metric in METRICS:
            value = statistics.median(metrics[metric])
            cells += [around(value, max(metrics[metric]) - min(metrics[metric])),
                      f"{value / statistics.median(kept['modes']['direct'][metric]):.2f}"]
        lines.append(cells)
    head = ["", *(word for metric in METRICS.values() for word in (metric, "of direct"))]
    told = [f"This kernel has no {mode}: not measured." for mode in kept["missing"]]
    return "\n\n".join([table(head, lines), *told])
