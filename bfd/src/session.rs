//! One session in asynchronous mode (RFC 5880 section 6): packets and time in, packets and events out.

use std::collections::VecDeque;
use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use crate::packet::Packet;
use crate::random::Random;
use crate::state::{Diagnostic, State};

/// While a session is not up, packets are at least so far apart (RFC 5880 section 6.8.3).
const SLOW: Duration = Duration::from_secs(1);

/// How often packets go and when a peer counts as gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// The shortest pause between packets, sent and received. The slower side decides.
    pub interval: Duration,
    /// After so many of our packets missing the peer takes us for gone; its own number decides here.
    pub multiplier: NonZeroU8,
}

/// What a session tells its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Both sides hear each other.
    Up,
    /// It was up, and the path or the peer failed.
    Down(Failure),
    /// It was up, and the peer switched it off: that says nothing of the path (RFC 5882 section 4.2).
    PeerStopped,
}

/// The end of a session that was up, by a failure of the path or the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What showed it.
    pub reason: Diagnostic,
    /// When the session had come up.
    pub up_since: Duration,
    /// When the peer had last said that it was up; `None`: never.
    pub heard_up: Option<Duration>,
    /// Whether the peer's BFD lives on when its control plane ends, as it last said (the C bit, RFC 5880 section 4.1).
    pub independent: bool,
}

/// What the peer last said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its number for the session; `None`: none, or not heard for the detection time.
    pub discriminator: Option<NonZeroU32>,
    /// Its state.
    pub state: State,
    /// Its reason for that.
    pub diagnostic: Diagnostic,
    /// The shortest pause between its packets.
    pub min_tx: Duration,
    /// The shortest pause that it can take.
    pub min_rx: Duration,
    /// Its detection multiplier.
    pub multiplier: u8,
    demand: bool,
}

impl Default for Remote {
    fn default() -> Remote {
        Remote {
            discriminator: None,
            state: State::Down,
            diagnostic: Diagnostic::NONE,
            min_tx: Duration::ZERO,
            // Section 6.8.1: 1 µs until the peer says otherwise, not 0, which would keep us silent.
            min_rx: Duration::from_micros(1),
            multiplier: 0,
            demand: false,
        }
    }
}

/// One side of a session. All times are since an origin of the caller's choosing.
///
/// After every call take [`Session::transmit`] and [`Session::event`] until they return nothing, and call
/// [`Session::handle_timeout`] at [`Session::next_timeout`].
#[derive(Clone, Debug)]
pub struct Session {
    timers: Timers,
    discriminator: NonZeroU32,
    state: State,
    since: Duration,
    diagnostic: Diagnostic,
    remote: Remote,
    /// When the peer last said that it was up.
    heard_up: Option<Duration>,
    /// The C bit of its last packet.
    independent: bool,
    /// As in our packets. Slow unless up.
    desired_min_tx: Duration,
    /// Those that count: they differ from what our packets say until the peer has answered a Poll.
    min_tx: Duration,
    min_rx: Duration,
    polling: bool,
    /// The peer polls: a packet with F is due.
    answer_due: bool,
    last_sent: Option<Duration>,
    /// `None`: the peer wants no packets.
    send_at: Option<Duration>,
    detect_at: Option<Duration>,
    random: Random,
    events: VecDeque<Event>,
}

impl Session {
    /// A session that is down and sends from now on.
    #[must_use]
    pub fn new(now: Duration, discriminator: NonZeroU32, timers: Timers, seed: u64) -> Session {
        Session {
            timers,
            discriminator,
            state: State::Down,
            since: now,
            diagnostic: Diagnostic::NONE,
            remote: Remote::default(),
            heard_up: None,
            independent: false,
            desired_min_tx: SLOW.max(timers.interval),
            min_tx: SLOW.max(timers.interval),
            min_rx: timers.interval,
            polling: false,
            answer_due: false,
            last_sent: None,
            send_at: Some(now),
            detect_at: None,
            random: Random::new(seed),
            events: VecDeque::new(),
        }
    }

    /// Takes a packet that is for this session.
    pub fn receive(&mut self, now: Duration, packet: &Packet) {
        self.remote = Remote {
            discriminator: Some(packet.my_discriminator),
            state: packet.state,
            diagnostic: packet.diagnostic,
            min_tx: packet.desired_min_tx,
            min_rx: packet.required_min_rx,
            multiplier: packet.multiplier.get(),
            demand: packet.demand,
        };
        self.independent = packet.control_plane_independent;
        if packet.state == State::Up {
            self.heard_up = Some(now);
        }
        if self.polling && packet.finish {
            self.polling = false;
            self.min_tx = self.desired_min_tx;
            self.min_rx = self.timers.interval;
        }
        if self.state == State::AdminDown {
            // It knows that we are about to go.
            if packet.state != State::Up {
                self.min_tx = self.desired_min_tx;
            }
            return;
        }
        self.follow(now, packet.state);
        self.detect_at = Some(now + self.detection_time());
        self.answer_due |= packet.poll;
        self.hasten();
    }

    /// The state machine of section 6.8.6.
    fn follow(&mut self, now: Duration, remote: State) {
        match (self.state, remote) {
            (State::Down, State::Down) => self.become_state(now, State::Init, Diagnostic::NONE),
            (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
                self.become_state(now, State::Up, Diagnostic::NONE);
            }
            (State::Init | State::Up, State::AdminDown) | (State::Up, State::Down) => {
                self.become_state(now, State::Down, Diagnostic::NEIGHBOR_DOWN);
            }
            _ => (),
        }
    }

    fn become_state(&mut self, now: Duration, state: State, diagnostic: Diagnostic) {
        let was = std::mem::replace(&mut self.state, state);
        let up_since = std::mem::replace(&mut self.since, now);
        self.diagnostic = diagnostic;
        match (was, state) {
            (_, State::Up) => {
                self.events.push_back(Event::Up);
                // From slow to what is asked for: the peer has to be told (section 6.8.3).
                self.desired_min_tx = self.timers.interval;
                self.min_tx = self.timers.interval;
                self.polling = true;
            }
            (State::Up, _) => {
                if state == State::Down {
                    self.events.push_back(match self.remote.state {
                        State::AdminDown => Event::PeerStopped,
                        _ => {
                            let Session { heard_up, independent, .. } = *self;
                            Event::Down(Failure { reason: diagnostic, up_since, heard_up, independent })
                        }
                    });
                }
                // Slow again. A peer that is not up either measures no time by it, so there is nothing to poll for.
                self.desired_min_tx = SLOW.max(self.timers.interval);
                self.polling = false;
                self.min_rx = self.timers.interval;
                // About to go: as fast as before, until the peer knows.
                if state != State::AdminDown {
                    self.min_tx = self.desired_min_tx;
                }
            }
            _ => (),
        }
        // What the peer has to know it hears at once (section 6.8.7, last paragraph).
        self.send_at = Some(now);
    }

    /// Does what is due: call it only when all packets that have arrived were given to [`Session::receive`], lest our own
    /// delay be taken for the peer's silence.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.detect_at.is_none_or(|at| at > now) {
            return;
        }
        self.detect_at = None;
        // Section 6.8.1: what was heard of the peer counts no longer.
        self.remote = Remote::default();
        if matches!(self.state, State::Init | State::Up) {
            self.become_state(now, State::Down, Diagnostic::TIME_EXPIRED);
        }
        self.hasten();
    }

    /// The next packet to send now, if there is one.
    pub fn transmit(&mut self, now: Duration) -> Option<Packet> {
        let finish = std::mem::take(&mut self.answer_due);
        let due = self.send_at.is_some_and(|at| at <= now);
        if !finish && !due {
            return None;
        }
        if due {
            self.last_sent = Some(now);
            self.send_at = self.is_wanted().then(|| now + self.pause());
        }
        // P and F never stand together: the answer goes first, what was due goes with it.
        Some(Packet {
            diagnostic: self.diagnostic,
            state: self.state,
            poll: self.polling && !finish,
            finish,
            // We end with the process that announces routes.
            control_plane_independent: false,
            demand: false,
            multiplier: self.timers.multiplier,
            my_discriminator: self.discriminator,
            your_discriminator: self.remote.discriminator,
            desired_min_tx: self.desired_min_tx,
            required_min_rx: self.timers.interval,
            required_min_echo_rx: Duration::ZERO,
        })
    }

    /// Whether the peer wants periodic packets (section 6.8.7).
    fn is_wanted(&self) -> bool {
        let demand =
            self.remote.demand && (self.state, self.remote.state) == (State::Up, State::Up) && !self.polling;
        self.remote.min_rx > Duration::ZERO && !demand
    }

    /// Until the next packet: shorter than agreed on by up to a quarter, so that senders do not fall into step. With a
    /// multiplier of 1 by a tenth at least, as a single packet that is late would end the session (section 6.8.7).
    fn pause(&mut self) -> Duration {
        let longest = if self.timers.multiplier.get() == 1 { 900 } else { 1000 };
        self.transmit_interval() * self.random.within(750, longest) / 1000
    }

    /// Brings the next packet forward if it is planned for later than the peer may expect it by now.
    fn hasten(&mut self) {
        let last = self.last_sent.unwrap_or_default();
        if !self.is_wanted() {
            self.send_at = None;
        } else if self.send_at.is_none_or(|at| at > last + self.transmit_interval()) {
            self.send_at = Some(last + self.pause());
        }
    }

    /// Other timers from now on; an up session agrees on them with a Poll Sequence.
    pub fn set_timers(&mut self, timers: Timers) {
        if timers == self.timers {
            return;
        }
        let renegotiates = timers.interval != self.timers.interval;
        self.timers = timers;
        if self.state == State::Up {
            if renegotiates {
                // What the peer relies on holds until it has answered (section 6.8.3).
                self.desired_min_tx = timers.interval;
                self.min_tx = self.min_tx.min(timers.interval);
                self.min_rx = self.min_rx.max(timers.interval);
                self.polling = true;
            }
        } else {
            self.desired_min_tx = SLOW.max(timers.interval);
            self.min_tx = self.desired_min_tx;
            self.min_rx = timers.interval;
        }
        self.hasten();
    }

    /// Switches the session off: the peer hears AdminDown, which it must not take for a failure.
    pub fn stop(&mut self, now: Duration) {
        if self.state != State::AdminDown {
            self.become_state(now, State::AdminDown, Diagnostic::ADMIN_DOWN);
            self.answer_due = false;
            self.detect_at = None;
        }
    }

    /// Lets a session that was switched off come up again.
    pub fn start(&mut self, now: Duration) {
        if self.state == State::AdminDown {
            self.become_state(now, State::Down, Diagnostic::NONE);
            self.min_tx = self.desired_min_tx;
        }
    }

    /// When [`Session::transmit`] or [`Session::handle_timeout`] has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        let answer = self.answer_due.then_some(Duration::ZERO);
        [answer, self.send_at, self.detect_at].into_iter().flatten().min()
    }

    /// Whether it is switched off, and the peer no longer counts on it: the session may be forgotten.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::AdminDown && self.remote.state != State::Up
    }

    /// The next thing to know.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Our number for the session.
    #[must_use]
    pub fn discriminator(&self) -> NonZeroU32 {
        self.discriminator
    }

    /// Our state.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Since when.
    #[must_use]
    pub fn since(&self) -> Duration {
        self.since
    }

    /// Why it last changed.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        self.diagnostic
    }

    /// What the peer last said.
    #[must_use]
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Whether the peer's BFD lives on when its control plane ends, by the C bit of its last packet (RFC 5880 section 4.1).
    #[must_use]
    pub fn is_independent(&self) -> bool {
        self.independent
    }

    /// The timers as configured.
    #[must_use]
    pub fn timers(&self) -> Timers {
        self.timers
    }

    /// The longest pause between two packets of ours.
    #[must_use]
    pub fn transmit_interval(&self) -> Duration {
        self.min_tx.max(self.remote.min_rx)
    }

    /// How long the peer may be silent (section 6.8.4).
    #[must_use]
    pub fn detection_time(&self) -> Duration {
        self.min_rx.max(self.remote.min_tx) * self.remote.multiplier.into()
    }
}
