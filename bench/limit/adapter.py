"""The limit of the kernel's TCP for a comparison with other daemons. The name says how large its writes are, in octets.

LIMIT_STREAM names the file with what it writes; where it is missing, the first run makes it.
"""
import os

_NAME = os.path.splitext(os.path.basename(__file__))[0]
_HERE = os.path.dirname(os.path.realpath(__file__))
_TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(_HERE, "target")
_PATH = os.path.join(_TARGET, "release", "limit")
binary = _PATH if os.path.exists(_PATH) else None


def version(run):
    return f"writes of {_NAME.removeprefix('limit-')} octets"


def render(c):
    senders = [peer.addr for peer in c.peers if peer.role == "sender"]
    if len(senders) != 1 or c.families != ["ipv4"] or c.ebgp:
        raise SystemExit("the limit is for one sender of IPv4 routes")
    return {"argv": [binary, "--listen", f"{c.addr}:{c.port}", "--as", str(c.asn), "--router-id", c.router_id,
                     "--cluster-id", c.cluster_id, "--sender", senders[0], "--stream", os.environ["LIMIT_STREAM"],
                     "--write", _NAME.removeprefix("limit-")]}
