"""This project's route reflector for a comparison with other daemons: no FIB, next hops assumed to be reachable."""
import os

_HERE = os.path.dirname(os.path.abspath(__file__))
_TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(_HERE, "..", "target")
_PATH = os.path.join(_TARGET, "release", "route-reflector")
binary = _PATH if os.path.exists(_PATH) else None


def version(run):
    return run([binary, "--version"]) if binary else "given by --cmd"


def render(c):
    families = ", ".join(f'"{family}"' for family in c.families)
    conf = f"""asn = {c.asn}
router-id = "{c.router_id}"
cluster-id = "{c.cluster_id}"
listen = ["{c.addr}:{c.port}"]
hold-time = 240
families = [{families}]
[api]
socket = "{c.dir}/api.sock"
listen = ""
[log]
level = "warn"
"""
    section = "peers" if c.ebgp else "clients"
    accept = 'import = "accept"\nexport = "accept"\n' if c.ebgp else ""
    for peer in c.peers:
        conf += f'[[{section}]]\naddress = "{peer.addr}"\nasn = {peer.asn}\npassive = true\n{accept}'
    return {"files": {"config.toml": conf},
            "argv": [c.cmd or binary, "--config", f"{c.dir}/config.toml"]}
