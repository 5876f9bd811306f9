"""Many sessions for a long time: what they cost when nothing happens, whether one ends, and how they all come back at once."""
import csv
import io
import pathlib
import selectors
import signal
import socket
import struct
import tempfile
import time

from . import idle, runner

KEPT = runner.PROJECT / "docs" / "reliability" / "sessions.csv"
OPEN, UPDATE, KEEPALIVE = 1, 2, 4
HEADER, MARKER = 19, b"\xff" * 16
# An UPDATE with nothing in it (RFC 4724 section 2).
END_OF_RIB = MARKER + struct.pack(">HBHH", 23, UPDATE, 0, 0)
TURN = 0.05
# A client is the node of a cluster: one block of pod addresses.
BLOCK = 26


def route(number, address):
    """The UPDATE with the block of a client."""
    prefix = struct.pack(">BBBBB", BLOCK, 10, 128 + number // 1024, number // 4 % 256, number % 4 * 64)
    attributes = (struct.pack(">BBBB", 0x40, 1, 1, 0) + struct.pack(">BBB", 0x40, 2, 0)
                  + struct.pack(">BBB", 0x40, 3, 4) + socket.inet_aton(address) + struct.pack(">BBBI", 0x40, 5, 4, 100))
    body = struct.pack(">HH", 0, len(attributes)) + attributes + prefix
    return MARKER + struct.pack(">HB", HEADER + len(body), UPDATE) + body


class Client:
    """One end of a session."""

    def __init__(self, number, address):
        self.number, self.address = number, address
        self.ended = 0
        self.connect()

    def connect(self):
        """Begins anew, without waiting."""
        self.up, self.heard, self.routes, self.buffer = False, time.monotonic(), set(), bytearray()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((self.address, 0))
        self.socket.setblocking(False)
        self.socket.connect_ex((idle.ADDRESS, idle.PORT))
        self.next_keepalive = time.monotonic() + idle.KEEPALIVE_EVERY * (self.number % 1000 + 1) / 1000

    def read(self):
        """Takes what there is; `False` at the end of the session."""
        try:
            octets = self.socket.recv(1 << 18)
        except BlockingIOError:
            return True
        except OSError:
            octets = b""
        if not octets:
            return False
        self.heard = time.monotonic()
        self.buffer += octets
        at = 0
        while len(self.buffer) - at >= HEADER:
            length = int.from_bytes(self.buffer[at + 16:at + 18], "big")
            if len(self.buffer) - at < length:
                break
            self.message(self.buffer[at + 18], at, length)
            at += length
        del self.buffer[:at]
        return True

    def message(self, kind, at, length):
        """Answers the OPEN, and has its own say when the session is up; notes routes."""
        if kind == OPEN:
            self.socket.send(idle.KEEPALIVE)
        elif kind == KEEPALIVE and not self.up:
            self.up = True
            self.socket.send(route(self.number, self.address) + END_OF_RIB)
        elif kind == UPDATE and length > len(END_OF_RIB):
            # Each block has a next hop of its own, so that none shares an UPDATE; withdrawals have no attributes.
            withdrawn = int.from_bytes(self.buffer[at + 19:at + 21], "big")
            if not withdrawn:
                self.routes.add(bytes(self.buffer[at + length - 5:at + length]))


class Crowd:
    """All clients."""

    def __init__(self, addresses):
        self.selector = selectors.DefaultSelector()
        self.clients = [Client(number, address) for number, address in enumerate(addresses)]
        for client in self.clients:
            self.watch(client)

    def watch(self, client):
        # Writable is when the connection is up.
        self.selector.register(client.socket, selectors.EVENT_WRITE, client)

    def turn(self, seconds):
        """Reads and keeps alive for so long."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            for key, events in self.selector.select(min(TURN, end - now)):
                self.ready(key.data, events)
            now = time.monotonic()
            for client in self.clients:
                if client.up and client.next_keepalive <= now:
                    client.next_keepalive += idle.KEEPALIVE_EVERY
                    client.socket.send(idle.KEEPALIVE)
                if client.up and now - client.heard > idle.HOLD:
                    self.lose(client)

    def ready(self, client, events):
        if events & selectors.EVENT_WRITE:
            self.selector.modify(client.socket, selectors.EVENT_READ, client)
            if client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return self.lose(client)
            client.socket.send(idle.open_message(client.address))
        elif not client.read():
            self.lose(client)

    def lose(self, client):
        """Counts an end that was not asked for, and connects again."""
        client.ended += 1
        self.selector.unregister(client.socket)
        client.socket.close()
        client.connect()
        self.watch(client)

    def until_complete(self, most):
        """Until each has the blocks of all others; in seconds, or an end if that takes longer than `most`."""
        begun = time.monotonic()
        while not all(client.up and len(client.routes) == len(self.clients) - 1 for client in self.clients):
            if time.monotonic() - begun > most:
                up = sum(client.up for client in self.clients)
                least = min(len(client.routes) for client in self.clients)
                raise SystemExit(f"{up} sessions are up and one has {least} routes, {most} s after the start")
            self.turn(TURN)
        return time.monotonic() - begun

    def again(self):
        """Every session ends and every client connects, at once."""
        for client in self.clients:
            self.selector.unregister(client.socket)
            client.socket.close()
        for client in self.clients:
            client.connect()
            self.watch(client)

    def ended(self):
        """Sessions that ended although nobody asked."""
        return sum(client.ended for client in self.clients)


def resident_kb(pid):
    """Resident memory."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def line(began, crowd, pid, cpu, span):
    """A row of what is kept."""
    return {"second": round(time.monotonic() - began), "sessions": sum(client.up for client in crowd.clients),
            "ended": crowd.ended(), "core_percent": round(100 * cpu / span, 3), "rss_kb": resident_kb(pid),
            "descriptors": len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))}


def watch(crowd, pid, minutes):
    """A row for each minute."""
    began, rows = time.monotonic(), []
    for _ in range(minutes):
        before, started = idle.cpu_seconds(pid), time.monotonic()
        crowd.turn(60)
        rows.append(line(began, crowd, pid, idle.cpu_seconds(pid) - before, time.monotonic() - started))
    return rows


def measure(sessions, minutes, times):
    """Brings up `sessions`, looks at them for `minutes`, then ends them and has them come back, `times` times."""
    runner.raise_descriptors()
    idle.enter_namespace()
    addresses = [f"10.2.{i // 200}.{1 + i % 200}" for i in range(sessions)]
    with tempfile.TemporaryDirectory() as folder:
        daemon = idle.start(folder, addresses)
        try:
            crowd = Crowd(addresses)
            first = crowd.until_complete(120)
            # The daemon's own restart is over after ten seconds, and what it gives back of its memory is given back.
            crowd.turn(30)
            rows = watch(crowd, daemon.pid, minutes)
            storms = []
            for _ in range(times):
                before = idle.cpu_seconds(daemon.pid)
                crowd.again()
                seconds = crowd.until_complete(120)
                crowd.turn(30)
                storms.append({"seconds": round(seconds, 2), "cpu": round(idle.cpu_seconds(daemon.pid) - before, 2),
                               "rss_kb": resident_kb(daemon.pid)})
            return {"first": round(first, 2), "rows": rows, "storms": storms, "ended": crowd.ended(),
                    "peak_mb": round(idle.peak_mb(daemon.pid), 1)}
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(10)


def text(rows):
    """As CSV."""
    file = io.StringIO()
    writer = csv.DictWriter(file, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def summary(result):
    """For people."""
    rows = result["rows"]
    shares = [row["core_percent"] for row in rows]
    third = max(1, len(rows) // 3)
    memory = [row["rss_kb"] / 1024 for row in rows]
    lines = [f"{rows[0]['sessions']:,} sessions up with all routes after {result['first']} s; {len(rows)} minutes:",
             f"  sessions that ended: {result['ended']}",
             f"  share of a core, %: {sum(shares) / len(shares):.3f} on average, {min(shares)} to {max(shares)} by minute",
             f"  memory, MB: {max(memory[:third]):.1f} in the first third, {max(memory[-third:]):.1f} in the last"]
    for storm in result["storms"]:
        lines.append(f"  all at once: every session with all routes again after {storm['seconds']} s, {storm['cpu']} s of "
                     f"CPU, {storm['rss_kb'] / 1024:.1f} MB 30 s later")
    return "\n".join([*lines, f"  peak memory, MB: {result['peak_mb']}"])
