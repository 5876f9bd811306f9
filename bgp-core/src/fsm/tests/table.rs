//! The table of [`super::super::table`] against the Session: every event in every state.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::super::table::{Action, Event, Row, TABLE, Timer};
use super::super::*;
use super::faults::update;
use super::pair::{seconds, shutdown, speaker};
use super::solo::{Solo, keepalive, open_of};
use crate::wire::MessageType;
use crate::wire::header::MAX_LEN;
use crate::wire::{Notification, frame};

const STATES: [State; 6] =
    [State::Idle, State::Connect, State::Active, State::OpenSent, State::OpenConfirm, State::Established];

const TIMERS: [Timer; 6] =
    [Timer::ConnectRetry, Timer::IdleHold, Timer::DelayOpen, Timer::Hold, Timer::Keepalive, Timer::SendHold];

/// What a session said and did, in order, as far as a table can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Connect,
    Open,
    Keepalive,
    Notification(u8, u8),
    Closed,
    Delivered,
    Up,
    Down,
    Failed,
}

/// A session in a state, and the connection that the event is about.
struct Bench {
    solo: Solo,
    id: ConnectionId,
    seen: Vec<Seen>,
    /// Something was said or done on another connection.
    elsewhere: bool,
}

/// Whether the event comes on a connection whose OPEN is delayed, in Connect and Active.
fn is_about_a_delayed_open(event: Event) -> bool {
    matches!(event, Event::DelayOpenTimerExpires | Event::OpenCollisionDump)
        || (Event::BgpOpenWithDelayOpenTimerRunning..=Event::UpdateMsgErr).contains(&event)
}

/// Whether the event is about a connection that is there in this state.
fn has_connection(state: State, event: Event) -> bool {
    is_about_a_delayed_open(event) || (state == State::Active && event == Event::TcpConnectionFails)
}

fn is_passive_start(event: Event) -> bool {
    use Event::{
        AutomaticStartWithDampPeerOscillationsAndPassiveTcpEstablishment as Damped,
        AutomaticStartWithPassiveTcpEstablishment as Automatic,
        ManualStartWithPassiveTcpEstablishment as Manual,
    };
    matches!(event, Manual | Automatic | Damped)
}

/// The session as it has to be for the event to mean what it says in this state.
fn config(state: State, event: Event) -> SessionConfig {
    let waits = matches!(state, State::Connect | State::Active);
    let dump = event == Event::OpenCollisionDump;
    // The connection of the higher identifier is kept; the peer's is 2.
    let router_id = if dump && state == State::Active { 9 } else { 1 };
    let ours = speaker(router_id);
    SessionConfig {
        delay_open: Some(seconds(2)).filter(|_| waits && has_connection(state, event)),
        passive: (state == State::Idle && is_passive_start(event)) || (dump && state == State::Active),
        graceful_restart: ours.graceful_restart.clone().filter(|_| !dump),
        // So that nothing but the send hold timer is due.
        hold_time: if event == Event::SendHoldTimerExpires { 0 } else { ours.hold_time },
        ..ours
    }
}

impl Bench {
    fn new(state: State, event: Event) -> Bench {
        let solo = Solo::new(config(state, event));
        let mut bench = Bench { solo, id: ConnectionId(99), seen: Vec::new(), elsewhere: false };
        bench.reach(state, event);
        bench.drain();
        assert_eq!(bench.solo.session.state(), state, "before {event:?}");
        bench.seen.clear();
        bench.elsewhere = false;
        bench
    }

    fn reach(&mut self, state: State, event: Event) {
        let (now, delayed) = (self.solo.now, has_connection(state, event));
        match state {
            State::Idle if event == Event::IdleHoldTimerExpires => self.fail_twice(),
            State::Idle => self.solo.session.stop(now, shutdown()),
            State::Connect if delayed => self.id = self.solo.up(Direction::Outgoing),
            State::Connect => (),
            State::Active => {
                self.solo.session.connect_failed(now);
                if delayed {
                    self.id = self.solo.up(Direction::Incoming);
                }
            }
            State::OpenSent | State::OpenConfirm | State::Established => {
                self.id = self.solo.up(Direction::Outgoing);
                self.drain();
                for message in [open_of(&speaker(2)), keepalive()] {
                    if self.solo.session.state() < state {
                        self.solo.hear(self.id, &message);
                    }
                }
            }
        }
        if event == Event::SendHoldTimerExpires {
            self.solo.session.queued(now);
        }
    }

    /// After the first failure the pause ends with the next attempt.
    fn fail_twice(&mut self) {
        for _ in 0..2 {
            let id = self.solo.up(Direction::Incoming);
            self.solo.hear(id, b"x");
            self.drain();
            if self.solo.session.backoff.failures() < 2 {
                self.solo.later(seconds(5));
            }
        }
    }

    /// Notes what the session said, on the event's connection if on any.
    fn drain(&mut self) {
        for output in self.solo.outputs() {
            let seen = match output {
                Output::Connect => Some(Seen::Connect),
                Output::Send(id, bytes) if id == self.id => Some(sent(&bytes)),
                Output::Close(id) if id == self.id => Some(Seen::Closed),
                Output::Established(_) => Some(Seen::Up),
                Output::Down(_) => Some(Seen::Down),
                Output::Failed(_) => Some(Seen::Failed),
                Output::Send(..) | Output::Close(_) => {
                    self.elsewhere = true;
                    None
                }
                Output::StateChanged { .. } => None,
            };
            self.seen.extend(seen);
        }
    }

    /// When each timer of the session and of the event's connection is due.
    fn timers(&self) -> BTreeMap<u8, Instant> {
        let session = &self.solo.session;
        let connection = session.connections.iter().find(|connection| connection.id == self.id);
        let due = |timer: Timer| {
            let due = session.timers.due(timer).or_else(|| connection?.timers.due(timer));
            Some((timer as u8, due?))
        };
        TIMERS.into_iter().filter_map(due).collect()
    }

    /// Lets time pass until the timer is due, if it runs; what is due before is handled before.
    fn await_timer(&mut self, timer: Timer) {
        while let Some(due) = self.timers().get(&(timer as u8)).copied() {
            let next = self.solo.session.next_timeout().unwrap();
            self.solo.now = next;
            if next == due {
                break;
            }
            self.solo.session.handle_timeout(next, false);
        }
        self.drain();
        self.seen.clear();
    }

    fn hear(&mut self, bytes: &[u8]) {
        let mut input = bytes;
        while let Some(received) = self.solo.session.receive(self.solo.now, self.id, &mut input) {
            assert!(matches!(received, Received::Update(_)));
            self.seen.push(Seen::Delivered);
        }
    }

    fn hear_notification(&mut self, code: u8, subcode: u8) {
        let mut bytes = Vec::new();
        Notification::new(code, subcode).encode(&mut bytes);
        self.hear(&bytes);
    }

    /// Brings the event about, as the table's note says that it comes.
    fn inject(&mut self, state: State, event: Event) {
        use Event as E;
        let now = self.solo.now;
        let delayed = self.runs(Timer::DelayOpen);
        let session = &mut self.solo.session;
        match event {
            E::ManualStop => session.stop(now, why(event)),
            E::AutomaticStop => session.reset(now, why(event)),
            // The user's own; the session is not asked.
            E::TcpConnectionValid | E::TcpCrInvalid => (),
            E::TcpCrAcked => self.id = self.solo.up(Direction::Outgoing),
            E::TcpConnectionConfirmed => self.id = self.solo.up(Direction::Incoming),
            E::TcpConnectionFails if state < State::Active => session.connect_failed(now),
            E::TcpConnectionFails => session.disconnected(now, self.id),
            E::BgpOpenWithDelayOpenTimerRunning if !delayed => (),
            E::BgpOpen | E::BgpOpenWithDelayOpenTimerRunning => self.hear(&open_of(&speaker(2))),
            E::BgpHeaderErr => self.hear(b"GET / HTTP/1.1"),
            E::BgpOpenMsgErr => self.hear(&open_of(&SessionConfig { hold_time: 1, ..speaker(2) })),
            E::OpenCollisionDump => self.dump(state),
            E::NotifMsgVerErr => self.hear_notification(2, 1),
            E::NotifMsg => self.hear_notification(2, 2),
            E::KeepAliveMsg => self.hear(&keepalive()),
            E::UpdateMsgErr if state == State::Established => session.reset(now, why(event)),
            E::UpdateMsg | E::UpdateMsgErr => self.hear(&update()),
            timed if timer_of(timed).is_some() => session.handle_timeout(now, false),
            _ => session.start(now),
        }
        self.drain();
    }

    /// The OPEN on another connection, which is the one to keep unless this one is established.
    fn dump(&mut self, state: State) {
        if state == State::Idle {
            return;
        }
        let direction = if state == State::Active { Direction::Outgoing } else { Direction::Incoming };
        let other = self.solo.up(direction);
        let peer = SessionConfig { graceful_restart: None, ..speaker(2) };
        self.solo.hear(other, &open_of(&peer));
    }

    fn runs(&self, timer: Timer) -> bool {
        self.timers().contains_key(&(timer as u8))
    }
}

fn sent(bytes: &[u8]) -> Seen {
    let message = frame(bytes, MAX_LEN).unwrap().unwrap();
    match message.kind {
        MessageType::Open => Seen::Open,
        MessageType::Keepalive => Seen::Keepalive,
        MessageType::Notification => Seen::Notification(message.body[0], message.body[1]),
        other => panic!("a session writes no {other}"),
    }
}

/// The timer whose end an event is.
fn timer_of(event: Event) -> Option<Timer> {
    Some(match event {
        Event::ConnectRetryTimerExpires => Timer::ConnectRetry,
        Event::HoldTimerExpires => Timer::Hold,
        Event::KeepaliveTimerExpires => Timer::Keepalive,
        Event::DelayOpenTimerExpires => Timer::DelayOpen,
        Event::IdleHoldTimerExpires => Timer::IdleHold,
        Event::SendHoldTimerExpires => Timer::SendHold,
        _ => return None,
    })
}

/// What [`Action::NotifyWhy`] stands for.
fn why(event: Event) -> Notification {
    match event {
        Event::ManualStop => shutdown(),
        Event::AutomaticStop => Notification::new(6, 6),
        Event::BgpHeaderErr => Notification::new(1, 1),
        Event::BgpOpenMsgErr => Notification::new(2, 6),
        Event::UpdateMsgErr => Notification::new(3, 1),
        other => panic!("{other:?} calls for no NOTIFICATION"),
    }
}

/// What an action looks like from outside; nothing for those that are about timers.
fn seen(action: Action, event: Event) -> Option<Seen> {
    Some(match action {
        Action::Connect => Seen::Connect,
        Action::SendOpen => Seen::Open,
        Action::SendKeepalive => Seen::Keepalive,
        Action::Notify(code, subcode) => Seen::Notification(code, subcode),
        Action::NotifyWhy => Seen::Notification(why(event).code, why(event).subcode),
        Action::Close => Seen::Closed,
        Action::Deliver => Seen::Delivered,
        Action::ReportEstablished => Seen::Up,
        Action::ReportDown => Seen::Down,
        Action::ReportFailed => Seen::Failed,
        Action::Start(_) | Action::Stop(_) | Action::Retry | Action::Damp | Action::Rest => return None,
    })
}

/// The timers that an action starts, and those that it stops.
fn timers(action: Action) -> (Vec<Timer>, Vec<Timer>) {
    match action {
        Action::Connect | Action::Retry => (vec![Timer::ConnectRetry], vec![]),
        Action::Damp => (vec![Timer::ConnectRetry, Timer::IdleHold], vec![]),
        Action::SendOpen => (vec![Timer::Hold], vec![Timer::DelayOpen]),
        Action::SendKeepalive => (vec![Timer::Keepalive], vec![]),
        Action::Start(timer) => (vec![timer], vec![]),
        Action::Stop(timer) => (vec![], vec![timer]),
        Action::Close => (vec![], vec![Timer::DelayOpen, Timer::Hold, Timer::Keepalive, Timer::SendHold]),
        Action::Rest => (vec![], TIMERS.to_vec()),
        _ => (vec![], vec![]),
    }
}

/// What became of each timer: `Some(true)` was started, `Some(false)` runs as before, `None` does not run.
fn fates(before: &BTreeMap<u8, Instant>, after: &BTreeMap<u8, Instant>) -> Vec<(Timer, Option<bool>)> {
    let fate = |timer: Timer| {
        let (before, after) = (before.get(&(timer as u8)), after.get(&(timer as u8)));
        (timer, after.map(|_| before != after))
    };
    TIMERS.into_iter().map(fate).collect()
}

fn expected_fates(before: &BTreeMap<u8, Instant>, actions: &[Action]) -> Vec<(Timer, Option<bool>)> {
    let mut fates: BTreeMap<u8, bool> = before.keys().map(|timer| (*timer, false)).collect();
    for action in actions {
        let (started, stopped) = timers(*action);
        fates.retain(|running, _| !stopped.iter().any(|timer| *timer as u8 == *running));
        fates.extend(started.iter().map(|timer| (*timer as u8, true)));
    }
    TIMERS.into_iter().map(|timer| (timer, fates.get(&(timer as u8)).copied())).collect()
}

fn expected_failures(before: u32, actions: &[Action]) -> u32 {
    actions.iter().fold(before, |failures, action| match action {
        Action::Retry | Action::Damp => failures + 1,
        Action::Rest => 0,
        _ => failures,
    })
}

fn check(row: &Row, state: State) {
    let event = row.event;
    let (next, actions) = row.transition(state);
    let mut bench = Bench::new(state, event);
    match timer_of(event) {
        Some(timer) => bench.await_timer(timer),
        // So that a timer that is started anew is due at another time.
        None => bench.solo.now += std::time::Duration::from_millis(1),
    }
    let mut before = bench.timers();
    let failures = bench.solo.session.backoff.failures();
    if event == Event::TcpCrAcked || event == Event::TcpConnectionConfirmed {
        // The event's connection is a new one.
        before.retain(|timer, _| *timer <= Timer::IdleHold as u8);
    }
    if let Some(expired) = timer_of(event) {
        before.remove(&(expired as u8));
    }
    bench.inject(state, event);
    if event == Event::TcpConnectionFails {
        before.retain(|timer, _| *timer <= Timer::IdleHold as u8);
    }

    let cell = format!("{event:?} in {state}: {actions:?}");
    assert_eq!(bench.solo.session.state(), next, "{cell}");
    let expected: Vec<Seen> = actions.iter().filter_map(|action| seen(*action, event)).collect();
    assert_eq!(bench.seen, expected, "{cell}");
    assert_eq!(bench.elsewhere, event == Event::OpenCollisionDump && state != State::Idle, "{cell}");
    assert_eq!(fates(&before, &bench.timers()), expected_fates(&before, actions), "{cell}");
    assert_eq!(bench.solo.session.backoff.failures(), expected_failures(failures, actions), "{cell}");
}

#[test]
fn every_event_in_every_state_does_what_its_cell_says() {
    for row in &TABLE {
        STATES.into_iter().for_each(|state| check(row, state));
    }
}

#[test]
fn the_rows_are_the_events_by_number() {
    let numbers: Vec<u8> = TABLE.iter().map(|row| row.event as u8).collect();
    assert_eq!(numbers, (1..=29).collect::<Vec<u8>>(), "28 of RFC 4271 and one of RFC 9687");
}

fn word(action: Action) -> String {
    match action {
        Action::Connect => "connect".into(),
        Action::SendOpen => "OPEN".into(),
        Action::SendKeepalive => "KEEPALIVE".into(),
        Action::Notify(code, subcode) => format!("NOTIFICATION {code}/{subcode}"),
        Action::NotifyWhy => "NOTIFICATION".into(),
        Action::Close => "close".into(),
        Action::Deliver => "deliver".into(),
        Action::ReportEstablished => "*up*".into(),
        Action::ReportDown => "*down*".into(),
        Action::ReportFailed => "*failed*".into(),
        Action::Start(timer) => format!("{timer:?} on"),
        Action::Stop(timer) => format!("{timer:?} off"),
        Action::Retry => "retry".into(),
        Action::Damp => "damp".into(),
        Action::Rest => "rest".into(),
    }
}

fn rendered() -> String {
    let mut text =
        String::from("| | event | Idle | Connect | Active | OpenSent | OpenConfirm | Established |\n");
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    for row in &TABLE {
        write!(text, "| {} | [{1:?}](Event::{1:?})", row.event as u8, row.event).unwrap();
        for state in STATES {
            let (next, actions) = row.transition(state);
            let mut words: Vec<String> = actions.iter().copied().map(word).collect();
            if next != state {
                words.push(format!("→ **{next:?}**"));
            }
            let cell = if words.is_empty() { "—".into() } else { words.join(", ") };
            write!(text, " | {cell}").unwrap();
        }
        text.push_str(" |\n");
    }
    text.push_str("\nHow the events come to a Session, and where a cell is not the RFC's:\n\n");
    for row in &TABLE {
        writeln!(text, "- {} [{1:?}](Event::{1:?}): {2}", row.event as u8, row.event, row.note).unwrap();
    }
    text
}

#[test]
fn the_documented_table_is_the_one_that_is_tested() {
    let documented = include_str!("../table/table.md");
    assert_eq!(documented, rendered(), "fsm/table/table.md should read:\n{}", rendered());
}
