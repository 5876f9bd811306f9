//! How each message is to be read: by the options, by what the file tells, by the OPENs seen.

use std::collections::BTreeMap;

use bgp_capture::{Content, Endpoint, Hints, Record};
use bgp_core::describe::DescribeContext;
use bgp_core::wire::header::MAX_LEN;
use bgp_core::wire::{MessageType, Open, frame};
use bgp_core::{Family, FamilySet, PeerKind};

use super::args::DecodeArgs;
use crate::error::CliError;

/// The most senders whose OPENs are remembered. Only a hostile file has more: then all are forgotten.
const MAX_SENDERS: usize = 4096;

/// What the options say, and each sender's last OPEN.
#[derive(Debug)]
pub(super) struct Sessions {
    /// Without what is known of the session.
    base: DescribeContext,
    external: bool,
    two_octet_as: bool,
    families: Option<FamilySet>,
    add_path: Option<FamilySet>,
    opens: BTreeMap<(Endpoint, Endpoint), Open>,
}

impl Sessions {
    pub(super) fn new(args: &DecodeArgs) -> Result<Sessions, CliError> {
        let mut base = DescribeContext::default();
        if let Some(open) = &args.open {
            let open = open_of(&super::octets(open)?);
            base = base.with_open(&open.map_err(|wrong| CliError::Usage(format!("--open: {wrong}")))?);
        }
        let set = |families: &[Family]| (!families.is_empty()).then(|| families.iter().copied().collect());
        Ok(Sessions {
            base,
            external: args.external,
            two_octet_as: args.two_octet_as,
            families: set(&args.families),
            add_path: set(&args.add_path),
            opens: BTreeMap::new(),
        })
    }

    /// How the record's message is to be read. An OPEN is remembered for those that follow.
    pub(super) fn context(&mut self, record: &Record) -> DescribeContext {
        let (from, to) = (session_end(record.from), session_end(record.to));
        let mut context = match (self.opens.get(&(from, to)), self.opens.get(&(to, from))) {
            (Some(sent), Some(received)) => DescribeContext::between(sent, received),
            (Some(sent), None) => self.base.with_open(sent),
            (None, _) => self.base,
        };
        if let (Some(from), Some(to)) = (record.from.asn, record.to.asn) {
            context.decode.kind = if from == to { PeerKind::Internal } else { PeerKind::External };
        }
        match &record.content {
            Content::Message { octets, hints } => {
                apply(&mut context, *hints);
                if let Ok(open) = open_of(octets)
                    && from != to
                {
                    if self.opens.len() >= MAX_SENDERS {
                        self.opens.clear();
                    }
                    self.opens.insert((from, to), open);
                }
            }
            Content::RibEntry(entry) => {
                let add_path = Some(entry.path_id.is_some());
                apply(&mut context, Hints { four_octet_as: Some(true), add_path });
            }
            _ => {}
        }
        self.options(context)
    }

    /// The options have the last word.
    fn options(&self, mut context: DescribeContext) -> DescribeContext {
        let decode = &mut context.decode;
        if self.external {
            decode.kind = PeerKind::External;
        }
        decode.four_octet_as &= !self.two_octet_as;
        decode.families = self.families.unwrap_or(decode.families);
        decode.add_path = self.add_path.unwrap_or(decode.add_path);
        context
    }
}

/// What the file tells of the session counts more than its OPENs: it may begin within the session.
fn apply(context: &mut DescribeContext, hints: Hints) {
    context.decode.four_octet_as = hints.four_octet_as.unwrap_or(context.decode.four_octet_as);
    if let Some(add_path) = hints.add_path {
        context.decode.add_path = if add_path { FamilySet::ALL } else { FamilySet::EMPTY };
    }
}

/// An end as the key of its session.
fn session_end(end: Endpoint) -> Endpoint {
    Endpoint { asn: None, ..end }
}

fn open_of(octets: &[u8]) -> Result<Open, String> {
    match frame(octets, MAX_LEN) {
        Ok(Some(message)) if message.kind == MessageType::Open => {
            Open::parse(message.body).map_err(|wrong| wrong.to_string())
        }
        Ok(Some(_)) => Err("that is no OPEN message".to_owned()),
        Ok(None) => Err("the message is cut off".to_owned()),
        Err(wrong) => Err(wrong.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use bgp_core::wire::Capability;
    use bgp_core::wire::capability::SendReceive;
    use bgp_core::{Asn, RouterId};
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: DecodeArgs,
    }

    fn sessions(words: &str) -> Sessions {
        let line =
            Line::try_parse_from(["decode", "00"].into_iter().chain(words.split_whitespace())).unwrap();
        Sessions::new(&line.args).unwrap()
    }

    fn end(last: u8, asn: Option<u32>) -> Endpoint {
        Endpoint { address: Some([10, 0, 0, last].into()), port: Some(179), asn: asn.map(Asn) }
    }

    fn record(from: Endpoint, to: Endpoint, octets: Vec<u8>, hints: Hints) -> Record {
        Record { number: 1, offset: 0, time: None, from, to, content: Content::Message { octets, hints } }
    }

    fn open(asn: u32, mode: SendReceive) -> Vec<u8> {
        let capabilities =
            vec![Capability::FourOctetAs(Asn(asn)), Capability::AddPath(vec![(Family::IPV4_UNICAST, mode)])];
        let mut octets = Vec::new();
        Open { asn: Asn(asn), hold_time: 90, router_id: RouterId(1), capabilities }.encode(&mut octets);
        octets
    }

    #[test]
    fn two_opens_say_how_each_direction_is_read() {
        let mut sessions = sessions("");
        let (a, b) = (end(1, None), end(2, None));
        let mut context =
            |from, to, octets| sessions.context(&record(from, to, octets, Hints::default())).decode;
        context(a, b, open(64512, SendReceive::Send));
        context(b, a, open(64513, SendReceive::Receive));
        let there = context(a, b, vec![]);
        assert!(there.four_octet_as && there.add_path.contains(Family::IPV4_UNICAST));
        assert_eq!(there.kind, PeerKind::External);
        assert!(context(b, a, vec![]).add_path.is_empty());
        assert_eq!(context(a, end(3, None), vec![]), DescribeContext::default().decode, "another session");
    }

    #[test]
    fn what_the_file_tells_counts_more_than_opens_and_options_more_than_that() {
        let (a, b) = (end(1, Some(64512)), end(2, Some(64512)));
        let hints = Hints { four_octet_as: Some(false), add_path: Some(true) };
        let mut plain = sessions("");
        plain.context(&record(a, b, open(64512, SendReceive::Receive), hints));
        let context = plain.context(&record(a, b, vec![], hints)).decode;
        assert!(!context.four_octet_as && context.add_path == FamilySet::ALL);
        assert_eq!(context.kind, PeerKind::Internal);

        let mut told = sessions("--external --two-octet-as --families evpn,ipv6 --add-path ipv6");
        let hints = Hints { four_octet_as: Some(true), add_path: Some(false) };
        let context = told.context(&record(a, b, vec![], hints)).decode;
        let (families, paths): (Vec<_>, Vec<_>) =
            (context.families.iter().collect(), context.add_path.iter().collect());
        assert_eq!((families, paths), (vec![Family::IPV6_UNICAST, Family::EVPN], vec![Family::IPV6_UNICAST]));
        assert!(!context.four_octet_as && context.kind == PeerKind::External);
    }

    #[test]
    fn opens_beyond_the_bound_are_forgotten() {
        let mut sessions = sessions("");
        for port in 0..=u16::try_from(MAX_SENDERS).unwrap() {
            let from = Endpoint { port: Some(port), ..end(1, None) };
            sessions.context(&record(from, end(2, None), open(64512, SendReceive::Both), Hints::default()));
        }
        assert_eq!(sessions.opens.len(), 1);
    }
}
