//! Capabilities from octets.

use nom::combinator::{all_consuming, eof, map, map_opt, value};
use nom::multi::{length_count, length_data, many0};
use nom::number::complete::{be_u8, be_u16, be_u24, be_u32};
use nom::{IResult, Parser};

use super::{
    Capability, ExtendedNextHop, FORWARDING, GracefulRestart, LabelCount, LongLived, NOTIFICATION, OrfFamily,
    RESTART_TIME, RESTARTED, RestartFamily, Role, SendReceive, code,
};
use crate::{Asn, Family};

impl Capability {
    /// The capabilities of one optional parameter; `None` if the last one is cut off.
    pub(in crate::wire) fn parse_all(parameter: &[u8]) -> Option<Vec<Capability>> {
        let capability = map((be_u8, length_data(be_u8)), |(code, value)| Capability::parse(code, value));
        let all: IResult<&[u8], Vec<Capability>> = all_consuming(many0(capability)).parse(parameter);
        all.ok().map(|(_, capabilities)| capabilities)
    }

    /// The capability numbered `code` with this value; [`Capability::Unknown`] if the value doesn't parse.
    #[must_use]
    pub fn parse(code: u8, value: &[u8]) -> Capability {
        let typed = typed(code, value);
        typed.map_or_else(|_| Capability::Unknown { code, value: value.to_vec() }, |(_, typed)| typed)
    }
}

/// Reads a value whose code has a type; fails for other codes.
fn typed(code: u8, input: &[u8]) -> IResult<&[u8], Capability> {
    let empty = |capability: Capability| value(capability, eof).parse(input);
    match code {
        code::MULTIPROTOCOL => all_consuming(map(wide_family, Capability::Multiprotocol)).parse(input),
        code::ROUTE_REFRESH => empty(Capability::RouteRefresh),
        code::ORF => list(orf, Capability::OutboundRouteFilter, input),
        code::EXTENDED_NEXT_HOP => list(extended_next_hop, Capability::ExtendedNextHop, input),
        code::EXTENDED_MESSAGE => empty(Capability::ExtendedMessage),
        code::MULTIPLE_LABELS => list(label_count, Capability::MultipleLabels, input),
        code::ROLE => all_consuming(map(be_u8, |role| Capability::Role(Role::from_code(role)))).parse(input),
        code::GRACEFUL_RESTART => {
            all_consuming(map(graceful_restart, Capability::GracefulRestart)).parse(input)
        }
        code::FOUR_OCTET_AS => {
            all_consuming(map(be_u32, |asn| Capability::FourOctetAs(Asn(asn)))).parse(input)
        }
        code::ADD_PATH => list(add_path, Capability::AddPath, input),
        code::ENHANCED_ROUTE_REFRESH => empty(Capability::EnhancedRouteRefresh),
        code::LONG_LIVED => list(long_lived, Capability::LongLivedGracefulRestart, input),
        code::FQDN => {
            all_consuming(map((text, text), |(hostname, domain)| Capability::Fqdn { hostname, domain }))
                .parse(input)
        }
        code::ROUTE_REFRESH_CISCO => empty(Capability::RouteRefreshCisco),
        code::ORF_CISCO => list(orf, Capability::OutboundRouteFilterCisco, input),
        code::SOFTWARE_VERSION => all_consuming(map(version, Capability::SoftwareVersion)).parse(input),
        _ => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Tag))),
    }
}

fn list<'a, T>(
    entry: fn(&'a [u8]) -> IResult<&'a [u8], T>,
    capability: fn(Vec<T>) -> Capability,
    input: &'a [u8],
) -> IResult<&'a [u8], Capability> {
    all_consuming(map(many0(entry), capability)).parse(input)
}

fn family(input: &[u8]) -> IResult<&[u8], Family> {
    map((be_u16, be_u8), |(afi, safi)| Family { afi, safi }).parse(input)
}

/// AFI and SAFI with a reserved octet, or the high octet of a wide SAFI, between them.
fn wide_family(input: &[u8]) -> IResult<&[u8], Family> {
    map((be_u16, be_u8, be_u8), |(afi, _, safi)| Family { afi, safi }).parse(input)
}

fn extended_next_hop(input: &[u8]) -> IResult<&[u8], ExtendedNextHop> {
    map((wide_family, be_u16), |(family, next_hop_afi)| ExtendedNextHop { family, next_hop_afi }).parse(input)
}

fn graceful_restart(input: &[u8]) -> IResult<&[u8], GracefulRestart> {
    let entry =
        map((family, be_u8), |(family, flags)| RestartFamily { family, forwarding: flags & FORWARDING != 0 });
    map((be_u16, many0(entry)), |(head, families)| GracefulRestart {
        restarted: head & RESTARTED != 0,
        notification: head & NOTIFICATION != 0,
        restart_time: head & RESTART_TIME,
        families,
    })
    .parse(input)
}

/// RFC 7911 section 4: a capability with any other mode is ignored as a whole, so it fails here.
fn add_path(input: &[u8]) -> IResult<&[u8], (Family, SendReceive)> {
    let mode = map_opt(be_u8, |mode| match SendReceive::from_code(mode) {
        SendReceive::Other(_) => None,
        mode => Some(mode),
    });
    (family, mode).parse(input)
}

fn orf(input: &[u8]) -> IResult<&[u8], OrfFamily> {
    let types = length_count(be_u8, (be_u8, map(be_u8, SendReceive::from_code)));
    map((wide_family, types), |(family, types)| OrfFamily { family, types }).parse(input)
}

fn label_count(input: &[u8]) -> IResult<&[u8], LabelCount> {
    map((family, be_u8), |(family, count)| LabelCount { family, count }).parse(input)
}

fn long_lived(input: &[u8]) -> IResult<&[u8], LongLived> {
    map((family, be_u8, be_u24), |(family, flags, stale_time)| LongLived {
        family,
        forwarding: flags & FORWARDING != 0,
        stale_time,
    })
    .parse(input)
}

fn text(input: &[u8]) -> IResult<&[u8], String> {
    map_opt(length_data(be_u8), |octets| String::from_utf8(Vec::from(octets)).ok()).parse(input)
}

/// A version text; an empty one says nothing.
fn version(input: &[u8]) -> IResult<&[u8], String> {
    map_opt(text, |text| Some(text).filter(|text| !text.is_empty())).parse(input)
}
