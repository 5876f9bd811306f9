//! What the tests build their inputs from, and how they look at the outcome. Only the public interface is used.

use bgp_core::fsm::{ConnectionId, Direction, Output, Session, SessionConfig, State};
use bgp_core::wire::header::{MAX_LEN, write_keepalive, write_message};
use bgp_core::wire::{
    BlockUse, Capability, DecodeContext, Fault, MessageType, Notification, Open, Summary, Treatment,
    UpdateView, frame,
};
use bgp_core::{Asn, FamilySet, Instant, PeerKind, RouterId};

pub(crate) const ORIGIN: &[u8] = &[0x40, 1, 1, 0];
pub(crate) const AS_PATH: &[u8] = &[0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0];
pub(crate) const NEXT_HOP: &[u8] = &[0x40, 3, 4, 10, 0, 0, 1];
/// 10.1.0.0/16
pub(crate) const NLRI: &[u8] = &[16, 10, 1];

/// A session for all families with four-octet AS numbers.
pub(crate) fn context(kind: PeerKind) -> DecodeContext {
    DecodeContext::new(kind, FamilySet::ALL)
}

/// The body of an UPDATE without withdrawn routes.
pub(crate) fn body(attributes: &[&[u8]], nlri: &[u8]) -> Vec<u8> {
    let attributes = attributes.concat();
    let len = u16::try_from(attributes.len()).unwrap().to_be_bytes();
    [&[0, 0][..], &len, &attributes, nlri].concat()
}

/// An announcement of 10.1.0.0/16 that is fine but for what is added.
pub(crate) fn announcing(extra: &[&[u8]]) -> Vec<u8> {
    body(&[&[ORIGIN, AS_PATH, NEXT_HOP], extra].concat(), NLRI)
}

/// MP_REACH_NLRI or MP_UNREACH_NLRI, code 14 or 15, with this value.
pub(crate) fn mp(code: u8, value: &[&[u8]]) -> Vec<u8> {
    let value = value.concat();
    let len = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[0x90, code][..], &len, &value].concat()
}

/// What becomes of an UPDATE.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) treatment: Treatment,
    pub(crate) faults: Vec<Fault>,
    /// The attributes kept, in their canonical form.
    pub(crate) block: Vec<u8>,
    pub(crate) summary: Summary,
    pub(crate) notification: Option<Notification>,
}

/// Takes both steps of decoding.
pub(crate) fn receive(body: &[u8], ctx: &DecodeContext) -> Outcome {
    let view = match UpdateView::parse(body, ctx) {
        Ok(view) => view,
        Err(malformed) => {
            return Outcome {
                treatment: malformed.fault.treatment,
                faults: vec![malformed.fault],
                block: Vec::new(),
                summary: Summary::default(),
                notification: Some(malformed.notification),
            };
        }
    };
    let usage = match view.mp_reach() {
        _ if !view.announced().is_empty() => BlockUse::Announce,
        Some(reach) if !reach.nlri.is_empty() => BlockUse::MpReach,
        _ => BlockUse::None,
    };
    let mut block = Vec::new();
    let checked = view.attributes().check(ctx, usage, &mut block);
    let faults: Vec<Fault> = view.faults().iter().chain(&checked.faults).cloned().collect();
    let worst = faults.iter().find(|fault| fault.treatment == Treatment::ResetSession);
    Outcome {
        treatment: view.treatment().max(checked.treatment),
        notification: worst.map(|fault| fault.notification(body)),
        faults,
        block,
        summary: checked.summary,
    }
}

/// What becomes of an UPDATE from an external peer.
pub(crate) fn from_outside(body: &[u8]) -> Outcome {
    receive(body, &context(PeerKind::External))
}

/// What becomes of an UPDATE from an internal peer.
pub(crate) fn from_inside(body: &[u8]) -> Outcome {
    receive(body, &context(PeerKind::Internal))
}

/// A message with this body and a header that fits.
pub(crate) fn message(kind: MessageType, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_message(&mut out, kind, |out| out.extend_from_slice(body));
    out
}

/// The body of an OPEN with these octets from the optional parameters' length on.
pub(crate) fn open_body(parameters: &[u8]) -> Vec<u8> {
    [&[4, 0xfc, 0, 0, 90, 10, 0, 0, 2][..], parameters].concat()
}

/// A session and one connection of its peer, in AS 64512 like us.
pub(crate) struct Peer {
    pub(crate) session: Session,
    connection: ConnectionId,
}

impl Peer {
    /// TCP is up and our OPEN is sent.
    pub(crate) fn open_sent() -> Peer {
        let config = SessionConfig {
            passive: true,
            ..SessionConfig::new(Asn(64512), RouterId(0x0a00_0001), Some(Asn(64512)))
        };
        let mut peer = Peer { session: Session::new(config, 1), connection: ConnectionId(1) };
        peer.session.start(Instant::ZERO);
        peer.session.connected(Instant::ZERO, peer.connection, Direction::Incoming);
        peer.answers();
        peer
    }

    /// Routes can be exchanged.
    pub(crate) fn established() -> Peer {
        let mut peer = Peer::open_sent();
        let capabilities = vec![Capability::FourOctetAs(Asn(64512))];
        let open = Open { asn: Asn(64512), hold_time: 90, router_id: RouterId(0x0a00_0002), capabilities };
        let mut octets = Vec::new();
        open.encode(&mut octets);
        write_keepalive(&mut octets);
        peer.hears(&octets);
        assert_eq!(peer.session.state(), State::Established);
        peer
    }

    /// Hands octets to the session; returns the messages that answer them, and whether the connection was closed.
    pub(crate) fn hears(&mut self, octets: &[u8]) -> (Vec<Answer>, bool) {
        let mut input = octets;
        while self.session.receive(Instant::ZERO, self.connection, &mut input).is_some() {}
        self.answers()
    }

    fn answers(&mut self) -> (Vec<Answer>, bool) {
        let (mut answers, mut closed) = (Vec::new(), false);
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Send(_, octets) => {
                    let message = frame(&octets, MAX_LEN).unwrap().unwrap();
                    answers.push(match Notification::parse(message.body) {
                        Some(n) if message.kind == MessageType::Notification => Answer::Notification(n),
                        _ => Answer::Other(message.kind),
                    });
                }
                Output::Close(_) => closed = true,
                _ => {}
            }
        }
        (answers, closed)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Notification(Notification),
    Other(MessageType),
}

/// The answer that ends a session: a NOTIFICATION, then the connection is closed.
pub(crate) fn ends_with(code: u8, subcode: u8, data: &[u8]) -> (Vec<Answer>, bool) {
    (vec![Answer::Notification(Notification::with_data(code, subcode, data.to_vec()))], true)
}

/// The session goes on with a KEEPALIVE.
pub(crate) fn goes_on() -> (Vec<Answer>, bool) {
    (vec![Answer::Other(MessageType::Keepalive)], false)
}
