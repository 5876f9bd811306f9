//! What went over each connection, read octet by octet as it arrived: what each end really holds of the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp_core::Prefix;

use super::octets::Octets;
use super::route::Route;
use super::world::Agreed;

/// The octets before a message's content: marker, length, type.
const HEADER: usize = 19;

/// What one end of a connection was sent by the other.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// The routes announced and not withdrawn, by destination and path identifier.
    pub routes: BTreeMap<(Prefix, u32), Route>,
    /// The families, 0 for IPv4 and 1 for IPv6, whose End-of-RIB has come.
    pub end_of_rib: BTreeSet<usize>,
    /// Something was not to be read: what follows means nothing.
    pub garbled: bool,
    buffer: Vec<u8>,
    open: Option<Open>,
    /// Of the families that are being sent again, what has not come yet (RFC 7313 section 4).
    doubtful: BTreeMap<usize, BTreeSet<(Prefix, u32)>>,
}

/// What an OPEN said, of what the model needs; by family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Takes several paths to a destination.
    pub takes_paths: [bool; 2],
    /// Sends them.
    pub sends_paths: [bool; 2],
    /// Restarts gracefully; `Some` with the restart time in seconds.
    pub restart_time: Option<u16>,
    /// The R bit: it has just restarted.
    pub restarted: bool,
    /// The N bit: routes outlive NOTIFICATIONs too (RFC 8538).
    pub notification: bool,
    /// Restarts gracefully in this family.
    pub restarts: [bool; 2],
    /// It went on forwarding in this family.
    pub forwarding: [bool; 2],
    /// For how many seconds its routes may be kept as long-lived stale ones.
    pub long_lived: [Option<u32>; 2],
    /// It knows of long-lived stale routes, and of graceful restart, without which that means nothing.
    pub knows_long_lived: bool,
    /// Its hold time in seconds.
    pub hold_time: u16,
}

/// A message that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// OPEN.
    Open(Open),
    /// UPDATE: destinations announced, with path identifiers, and withdrawn.
    Update(Vec<(Prefix, u32)>, Vec<(Prefix, u32)>),
    /// End-of-RIB of a family.
    EndOfRib(usize),
    /// NOTIFICATION: code and subcode.
    Notification(u8, u8),
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH: family and subtype.
    Refresh(usize, u8),
}

/// Listens to all connections.
#[derive(Clone, Debug, Default)]
pub struct Tap {
    connections: BTreeMap<u64, [Received; 2]>,
}

impl Tap {
    /// The end `from` of a connection sent these octets, and the other has read them. Gives the messages that they
    /// completed.
    pub fn read(&mut self, connection: u64, from: usize, octets: &[u8]) -> Vec<Message> {
        let lanes = self.connections.entry(connection).or_default();
        let taken_by_other = lanes.get(1 - from.min(1)).and_then(|other| other.open).unwrap_or_default();
        let Some(lane) = lanes.get_mut(from) else { return Vec::new() };
        lane.buffer.extend_from_slice(octets);
        let mut messages = Vec::new();
        while !lane.garbled
            && let Some(len) = lane.complete()
        {
            let rest = lane.buffer.split_off(len);
            let message = std::mem::replace(&mut lane.buffer, rest);
            match lane.take(&message, &taken_by_other) {
                Some(message) => messages.push(message),
                None => lane.garbled = true,
            }
        }
        messages
    }

    /// What the end `from` of a connection has sent.
    #[must_use]
    pub fn received(&self, connection: u64, from: usize) -> Option<&Received> {
        self.connections.get(&connection)?.get(from)
    }

    /// The OPEN that the end `from` has sent.
    #[must_use]
    pub fn open(&self, connection: u64, from: usize) -> Option<Open> {
        self.received(connection, from)?.open
    }

    /// What follows from both OPENs, for what each end sends.
    #[must_use]
    pub fn agreed(&self, connection: u64) -> Option<[Agreed; 2]> {
        let opens = [self.open(connection, 0)?, self.open(connection, 1)?];
        Some([0, 1].map(|from: usize| {
            let (Some(sender), Some(receiver)) = (opens.get(from), opens.get(1 - from)) else {
                return Agreed::default();
            };
            let both = |family: usize, a: fn(&Open, usize) -> bool, b: fn(&Open, usize) -> bool| {
                a(sender, family) && b(receiver, family)
            };
            Agreed {
                add_path: [0, 1].map(|family| both(family, sends_paths, takes_paths)),
                long_lived: [receiver.knows_long_lived && receiver.restart_time.is_some(); 2],
            }
        }))
    }

    /// Forgets connections.
    pub fn keep(&mut self, mut wanted: impl FnMut(u64) -> bool) {
        self.connections.retain(|connection, _| wanted(*connection));
    }
}

fn sends_paths(open: &Open, family: usize) -> bool {
    open.sends_paths.get(family) == Some(&true)
}

fn takes_paths(open: &Open, family: usize) -> bool {
    open.takes_paths.get(family) == Some(&true)
}

/// 0 for IPv4 unicast, 1 for IPv6 unicast.
fn family(octets: &mut Octets<'_>) -> Option<usize> {
    let (afi, safi) = (octets.u16()?, octets.u8()?);
    match (afi, safi) {
        (1, 1) => Some(0),
        (2, 1) => Some(1),
        _ => None,
    }
}

impl Received {
    /// The length of the message at the front of the buffer, if all of it is there.
    fn complete(&mut self) -> Option<usize> {
        let len = Octets(self.buffer.get(16..18)?).u16()?;
        if usize::from(len) < HEADER {
            self.garbled = true;
        }
        (!self.garbled && self.buffer.len() >= len.into()).then_some(len.into())
    }

    fn take(&mut self, message: &[u8], other: &Open) -> Option<Message> {
        let mut octets = Octets(message);
        if octets.take(16)?.0 != [0xff; 16] {
            return None;
        }
        let _len = octets.u16()?;
        match octets.u8()? {
            1 => {
                let open = read_open(octets)?;
                self.open = Some(open);
                Some(Message::Open(open))
            }
            2 => self.update(octets, other),
            3 => Some(Message::Notification(octets.u8()?, octets.u8()?)),
            4 => Some(Message::Keepalive),
            5 => {
                let afi = octets.u16()?;
                let subtype = octets.u8()?;
                let _safi = octets.u8()?;
                let family = usize::from(afi != 1);
                self.refresh(family, subtype);
                Some(Message::Refresh(family, subtype))
            }
            _ => None,
        }
    }

    /// What is not announced between the two markers is gone. A marker before the End-of-RIB is none.
    fn refresh(&mut self, family: usize, subtype: u8) {
        let is_of_family = |(prefix, _): &&(Prefix, u32)| usize::from(prefix.address().is_ipv6()) == family;
        match subtype {
            1 if self.end_of_rib.contains(&family) => {
                let all = self.routes.keys().filter(is_of_family).copied().collect();
                self.doubtful.insert(family, all);
            }
            2 => {
                let gone = self.doubtful.remove(&family).unwrap_or_default();
                self.routes.retain(|dest, _| !gone.contains(dest));
            }
            _ => {}
        }
    }

    /// RFC 4271 section 4.3, RFC 4760, RFC 7911.
    fn update(&mut self, mut octets: Octets<'_>, other: &Open) -> Option<Message> {
        let own = self.open.unwrap_or_default();
        let with_id = [0, 1].map(|family| sends_paths(&own, family) && takes_paths(other, family));
        let [ids_v4, _] = with_id;
        let len = octets.u16()?;
        let mut withdrawn = destinations(octets.take(len.into())?, 0, ids_v4)?;
        let len = octets.u16()?;
        let attributes = octets.take(len.into())?;
        let mut announced: Vec<((Prefix, u32), Route)> = Vec::new();
        if !octets.is_empty() {
            let route = Route::read(attributes.0, None)?;
            announced.extend(destinations(octets, 0, ids_v4)?.into_iter().map(|dest| (dest, route.clone())));
        }
        let mut end_of_rib = (announced.is_empty() && withdrawn.is_empty()).then_some(0);
        for (code, mut value) in split(attributes)? {
            match code {
                14 => {
                    end_of_rib = None;
                    let number = family(&mut value)?;
                    let len = value.u8()?;
                    let next_hop: IpAddr = value.take(len.into())?.address()?;
                    let _reserved = value.u8()?;
                    let route = Route::read(attributes.0, Some(next_hop))?;
                    let ids = with_id.get(number) == Some(&true);
                    let listed = destinations(value, number, ids)?;
                    announced.extend(listed.into_iter().map(|dest| (dest, route.clone())));
                }
                15 => {
                    let number = family(&mut value)?;
                    let ids = with_id.get(number) == Some(&true);
                    let listed = destinations(value, number, ids)?;
                    end_of_rib = (listed.is_empty() && announced.is_empty()).then_some(number);
                    withdrawn.extend(listed);
                }
                _ => {}
            }
        }
        for dest in &withdrawn {
            self.routes.remove(dest);
        }
        let dests: Vec<(Prefix, u32)> = announced.iter().map(|(dest, _)| *dest).collect();
        for dest in &dests {
            self.doubtful.values_mut().for_each(|doubtful| doubtful.retain(|other| other != dest));
        }
        self.routes.extend(announced);
        if let Some(family) = end_of_rib {
            self.end_of_rib.insert(family);
            return Some(Message::EndOfRib(family));
        }
        Some(Message::Update(dests, withdrawn))
    }
}

/// The attributes of a block: code and value.
fn split(mut attributes: Octets<'_>) -> Option<Vec<(u8, Octets<'_>)>> {
    let mut list = Vec::new();
    while !attributes.is_empty() {
        let flags = attributes.u8()?;
        let code = attributes.u8()?;
        let len = if flags & 0x10 != 0 { attributes.u16()? } else { u16::from(attributes.u8()?) };
        list.push((code, attributes.take(len.into())?));
    }
    Some(list)
}

fn destinations(mut octets: Octets<'_>, family: usize, with_id: bool) -> Option<Vec<(Prefix, u32)>> {
    let mut list = Vec::new();
    while !octets.is_empty() {
        let id = if with_id { octets.u32()? } else { 0 };
        list.push((octets.prefix(family == 1)?, id));
    }
    Some(list)
}

/// RFC 4271 section 4.2, RFC 5492, RFC 4724 section 3, RFC 7911 section 4, RFC 9494 section 3.1.
fn read_open(mut octets: Octets<'_>) -> Option<Open> {
    let _version = octets.u8()?;
    let _asn = octets.u16()?;
    let mut open = Open { hold_time: octets.u16()?, ..Open::default() };
    let _id = octets.u32()?;
    let len = octets.u8()?;
    let mut parameters = octets.take(len.into())?;
    while !parameters.is_empty() {
        let kind = parameters.u8()?;
        let len = parameters.u8()?;
        let mut capabilities = parameters.take(len.into())?;
        while kind == 2 && !capabilities.is_empty() {
            let code = capabilities.u8()?;
            let len = capabilities.u8()?;
            capability(&mut open, code, capabilities.take(len.into())?)?;
        }
    }
    Some(open)
}

fn capability(open: &mut Open, code: u8, mut value: Octets<'_>) -> Option<()> {
    match code {
        64 => {
            let word = value.u16()?;
            open.restarted = word & 0x8000 != 0;
            open.notification = word & 0x4000 != 0;
            open.restart_time = Some(word & 0x0fff);
            while !value.is_empty() {
                let number = family(&mut value);
                let flags = value.u8()?;
                set(&mut open.restarts, number, true);
                set(&mut open.forwarding, number, flags & 0x80 != 0);
            }
        }
        69 => {
            while !value.is_empty() {
                let number = family(&mut value);
                let mode = value.u8()?;
                set(&mut open.takes_paths, number, mode & 1 != 0);
                set(&mut open.sends_paths, number, mode & 2 != 0);
            }
        }
        71 => {
            open.knows_long_lived = true;
            while !value.is_empty() {
                let number = family(&mut value);
                let word = value.u32()?;
                set(&mut open.long_lived, number, Some(word & 0x00ff_ffff));
            }
        }
        _ => {}
    }
    Some(())
}

fn set<T>(pair: &mut [T; 2], family: Option<usize>, value: T) {
    if let Some(place) = family.and_then(|number| pair.get_mut(number)) {
        *place = value;
    }
}
