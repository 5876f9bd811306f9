//! A session and all that can befall it: the input is a script of calls, octets from the peer and time.
#![no_main]

use std::time::Duration;

use bgp_core::fsm::{ConnectionId, Direction, Output, State};
use bgp_core::wire::capability::GracefulRestart;
use bgp_core::wire::header::{write_keepalive, write_message};
use bgp_core::wire::{Capability, MessageType, Notification, Open};
use bgp_core::{Asn, Family, Instant, RouterId, SessionConfig};
use fuzz::{Script, Watched};
use libfuzzer_sys::fuzz_target;

const LOCAL: Asn = Asn(64512);

/// A configuration of ours, from a few octets.
fn config(script: &mut Script<'_>) -> SessionConfig {
    let bits = script.u8();
    let bit = |bit: u8| bits >> bit & 1 == 1;
    let delay_open = script.pick(&[None, Some(0), Some(1), Some(20)]);
    let families = script.families();
    SessionConfig {
        passive: bit(0),
        graceful_restart: bit(1).then(GracefulRestart::default),
        extended_message: bit(2),
        hold_time: script.pick(&[0, 3, 90, u16::MAX]),
        connect_retry: Duration::from_secs(script.pick(&[0, 1, 5, 1000])),
        delay_open: delay_open.map(Duration::from_secs),
        families: if families.is_empty() { families.with(Family::IPV4_UNICAST) } else { families },
        send_hold_time: script.pick(&[None, Some(0), Some(10)]),
        ..SessionConfig::new(LOCAL, RouterId(6), Some(LOCAL).filter(|_| bit(3)))
    }
}

/// An OPEN that suits, unless its AS or identifier is taken amiss.
fn open(script: &mut Script<'_>) -> Vec<u8> {
    let bits = script.u8();
    let asn = script.pick(&[LOCAL, Asn(64513), Asn(70000)]);
    let families = script.families();
    let mut capabilities: Vec<Capability> = families.iter().map(Capability::Multiprotocol).collect();
    let offered = [
        Capability::FourOctetAs(asn),
        Capability::GracefulRestart(GracefulRestart::default()),
        Capability::ExtendedMessage,
        Capability::RouteRefresh,
    ];
    let chosen = offered.into_iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
    capabilities.extend(chosen.map(|(_, capability)| capability));
    let open = Open {
        asn,
        hold_time: script.pick(&[90, 0, 2, 3]),
        router_id: RouterId(u32::from(script.u8())),
        capabilities,
    };
    let mut bytes = Vec::new();
    open.encode(&mut bytes);
    bytes
}

/// A message of any type behind a sound header.
fn message(script: &mut Script<'_>) -> Vec<u8> {
    let kind = script.pick(&MessageType::ALL);
    let len = script.u8();
    let body = script.take(usize::from(len));
    let mut bytes = Vec::new();
    write_message(&mut bytes, kind, |out| out.extend_from_slice(body));
    bytes
}

/// A connection, and what came on it but is no whole message yet.
struct Line {
    id: ConnectionId,
    unread: Vec<u8>,
}

struct Run {
    side: Watched,
    now: Instant,
    lines: [Option<Line>; 4],
    connections: u64,
}

impl Run {
    fn step(&mut self, script: &mut Script<'_>) {
        let now = self.now;
        let outputs = match script.u8() % 16 {
            0 => self.side.call(|session| session.start(now)),
            1 => self.side.stop(now, Notification::cease(script.u8(), "for the test")),
            2 | 3 => self.connect(script),
            4 => self.side.call(|session| session.connect_failed(now)),
            5 => self.disconnect(script),
            6 => {
                let len = script.u8();
                let octets = script.take(usize::from(len)).to_vec();
                self.hear(script, &octets)
            }
            7 => {
                let octets = message(script);
                self.hear(script, &octets)
            }
            8 | 9 => {
                let octets = open(script);
                self.hear(script, &octets)
            }
            10 => {
                let mut octets = Vec::new();
                write_keepalive(&mut octets);
                self.hear(script, &octets)
            }
            11 => {
                let notification = Notification::new(script.u8(), script.u8());
                self.side.call(|session| session.reset(now, notification))
            }
            12 => self.writes(script),
            13 => {
                let unit = script.pick(&[1, 100, 1000, 60_000]);
                self.now += Duration::from_millis(u64::from(script.u8()) * unit);
                self.side.timeout(self.now, script.bool())
            }
            14 => {
                self.now = self.side.session().next_timeout().map_or(now, |next| next.max(now));
                self.side.timeout(self.now, script.bool())
            }
            _ => {
                let config = config(script);
                self.side.call(|session| session.set_config(now, config))
            }
        };
        self.obey(outputs);
    }

    fn line(&mut self, script: &mut Script<'_>) -> &mut Option<Line> {
        &mut self.lines[usize::from(script.u8()) % 4]
    }

    fn connect(&mut self, script: &mut Script<'_>) -> Vec<Output> {
        let direction = script.pick(&[Direction::Outgoing, Direction::Incoming]);
        let id = ConnectionId(self.connections);
        let line = self.line(script);
        if line.is_some() {
            return Vec::new();
        }
        *line = Some(Line { id, unread: Vec::new() });
        self.connections += 1;
        self.side.connected(self.now, id, direction)
    }

    fn disconnect(&mut self, script: &mut Script<'_>) -> Vec<Output> {
        let Some(line) = self.line(script).take() else { return Vec::new() };
        self.side.disconnected(self.now, line.id)
    }

    /// The octets come on a connection in two reads.
    fn hear(&mut self, script: &mut Script<'_>, octets: &[u8]) -> Vec<Output> {
        let (first, second) = octets.split_at(usize::from(script.u8()).min(octets.len()));
        let slot = usize::from(script.u8()) % 4;
        let mut outputs = Vec::new();
        for read in [first, second] {
            let Some(line) = &mut self.lines[slot] else { break };
            line.unread.extend_from_slice(read);
            let told = self.side.receive(self.now, line.id, &mut line.unread);
            outputs.extend(told);
            if !self.side.holds(line.id) {
                break;
            }
        }
        outputs
    }

    fn writes(&mut self, script: &mut Script<'_>) -> Vec<Output> {
        let (now, what) = (self.now, script.u8());
        self.side.call(|session| match what % 4 {
            0 => session.sent(now, false),
            1 => session.sent(now, true),
            2 => session.queued(now),
            _ => session.update_written(now),
        })
    }

    fn obey(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            if let Output::Close(closed) = output {
                for line in &mut self.lines {
                    line.take_if(|line| line.id == closed);
                }
            }
        }
    }

    /// A session that is neither stopped nor up has a time when it goes on, unless it only waits for its peer to connect.
    fn check(&self) {
        let session = self.side.session();
        let waits = match session.state() {
            State::Idle | State::Established => false,
            State::Active => !session.config().passive,
            State::Connect | State::OpenSent | State::OpenConfirm => true,
        };
        assert!(!waits || session.next_timeout().is_some(), "{} without a timer", session.state());
    }
}

fuzz_target!(|input: &[u8]| {
    let mut script = Script::new(input);
    let config = config(&mut script);
    let side = Watched::new(config, u64::from(script.u8()));
    let mut run = Run { side, now: Instant::ZERO, lines: [const { None }; 4], connections: 0 };
    let outputs = run.side.call(|session| session.start(Instant::ZERO));
    run.obey(outputs);
    while !script.is_empty() {
        run.step(&mut script);
        run.check();
    }
    run.side.call(|session| session.start(run.now));
    run.side.stop(run.now, Notification::new(Notification::CEASE, 2));
});
