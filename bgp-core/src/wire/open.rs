//! OPEN (RFC 4271 section 4.2) with the optional parameters of RFC 5492 and RFC 9072.

use nom::bytes::complete::take;
use nom::multi::length_data;
use nom::number::complete::{be_u8, be_u16, be_u32};
use nom::{IResult, Parser};

use super::capability::Capability;
use super::header::{HEADER_LEN, MAX_LEN, MessageType, write_message};
use super::notification::{Notification, open_error};
use crate::{Asn, RouterId};

/// The only version there is.
pub const VERSION: u8 = 4;

/// The optional parameter that holds capabilities (RFC 5492 section 4).
const CAPABILITIES: u8 = 2;
/// The parameter type that says that lengths are two octets wide (RFC 9072 section 2).
const EXTENDED: u8 = 255;
/// Octets of an OPEN up to and including the optional parameters' length.
const FIXED_LEN: usize = HEADER_LEN + 10;

/// What a speaker says of itself when a connection is up.
///
/// [`Open::parse`] checks form only; whether the numbers suit the session is the session's to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The real number: from the four-octet capability if it is there.
    pub asn: Asn,
    /// The proposed hold time in seconds; 0 asks for none.
    pub hold_time: u16,
    /// The BGP Identifier.
    pub router_id: RouterId,
    /// In the order of the message. To send an AS number over 65535 it must contain [`Capability::FourOctetAs`].
    pub capabilities: Vec<Capability>,
}

impl Open {
    /// Reads a message body.
    ///
    /// # Errors
    /// The NOTIFICATION to answer with: 2/1 with our version for another version, 2/4 for an optional parameter
    /// other than capabilities, 2/0 for lengths that do not fit together (RFC 4271 section 6.2).
    pub fn parse(body: &[u8]) -> Result<Open, Notification> {
        let (parameters, fixed) = fixed_fields(body).map_err(|_| unspecific())?;
        if fixed.version != VERSION {
            let ours = u16::from(VERSION).to_be_bytes().to_vec();
            return Err(Notification::with_data(Notification::OPEN, open_error::UNSUPPORTED_VERSION, ours));
        }
        let capabilities = optional_parameters(parameters)?;
        let four_octets = capabilities.iter().find_map(|capability| match capability {
            Capability::FourOctetAs(asn) => Some(*asn),
            _ => None,
        });
        let asn = match four_octets {
            // RFC 7607: a zero in either place is a zero.
            Some(asn) if fixed.asn != 0 => asn,
            _ => Asn(u32::from(fixed.asn)),
        };
        Ok(Open { asn, hold_time: fixed.hold_time, router_id: RouterId(fixed.router_id), capabilities })
    }

    /// Appends the whole message. Capabilities that would make it longer than 4096 octets are left out.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut capabilities = Vec::new();
        for capability in &self.capabilities {
            let fits = capabilities.len();
            capability.encode(&mut capabilities);
            if FIXED_LEN + 6 + capabilities.len() > MAX_LEN {
                capabilities.truncate(fits);
            }
        }
        write_message(out, MessageType::Open, |out| {
            out.push(VERSION);
            out.extend_from_slice(&self.asn.to_two_octets().to_be_bytes());
            out.extend_from_slice(&self.hold_time.to_be_bytes());
            out.extend_from_slice(&self.router_id.0.to_be_bytes());
            write_parameters(out, &capabilities);
        });
    }
}

/// Appends the optional parameters: one with all capabilities, in the extended form only if they need it.
fn write_parameters(out: &mut Vec<u8>, capabilities: &[u8]) {
    match (capabilities.len(), u8::try_from(capabilities.len() + 2)) {
        (0, _) => out.push(0),
        (_, Ok(total)) if total != EXTENDED => {
            out.extend_from_slice(&[total, CAPABILITIES, total - 2]);
            out.extend_from_slice(capabilities);
        }
        (len, _) => {
            // Open::encode keeps the message within 4096 octets, hence this within two.
            let len = u16::try_from(len).unwrap_or(u16::MAX - 3);
            out.extend_from_slice(&[EXTENDED, EXTENDED]);
            out.extend_from_slice(&(len + 3).to_be_bytes());
            out.push(CAPABILITIES);
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(capabilities);
        }
    }
}

struct Fixed {
    version: u8,
    asn: u16,
    hold_time: u16,
    router_id: u32,
}

fn fixed_fields(body: &[u8]) -> IResult<&[u8], Fixed> {
    (be_u8, be_u16, be_u16, be_u32)
        .map(|(version, asn, hold_time, router_id)| Fixed { version, asn, hold_time, router_id })
        .parse(body)
}

fn unspecific() -> Notification {
    Notification::new(Notification::OPEN, open_error::UNSPECIFIC)
}

/// Reads what follows the fixed fields: the length, in either form, and the parameters.
fn optional_parameters(input: &[u8]) -> Result<Vec<Capability>, Notification> {
    let (mut rest, extended) = match input {
        [0] => return Ok(Vec::new()),
        // A length of zero leaves no room for the type that marks the extended form.
        [1..=u8::MAX, EXTENDED, rest @ ..] => {
            let (len, rest) = rest.split_first_chunk().ok_or_else(unspecific)?;
            (exactly(usize::from(u16::from_be_bytes(*len)), rest)?, true)
        }
        [len, rest @ ..] => (exactly(usize::from(*len), rest)?, false),
        [] => return Err(unspecific()),
    };
    let mut capabilities = Vec::new();
    while !rest.is_empty() {
        let (after, (kind, value)) = parameter(rest, extended).map_err(|_| unspecific())?;
        if kind != CAPABILITIES {
            return Err(Notification::new(Notification::OPEN, open_error::UNSUPPORTED_PARAMETER));
        }
        capabilities.extend(Capability::parse_all(value).ok_or_else(unspecific)?);
        rest = after;
    }
    Ok(capabilities)
}

fn exactly(len: usize, rest: &[u8]) -> Result<&[u8], Notification> {
    if rest.len() == len { Ok(rest) } else { Err(unspecific()) }
}

fn parameter(input: &[u8], extended: bool) -> IResult<&[u8], (u8, &[u8])> {
    let (input, kind) = be_u8(input)?;
    let (rest, value) = if extended {
        let (input, len) = be_u16(input)?;
        take(len).parse(input)?
    } else {
        length_data(be_u8).parse(input)?
    };
    Ok((rest, (kind, value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Family;
    use crate::wire::header::frame;

    /// The fixed fields of a sound OPEN, up to the length of the optional parameters.
    const FIXED: [u8; 9] = [4, 0xfc, 0x00, 0, 90, 10, 0, 0, 1];

    fn parse(parameters: &[u8]) -> Result<Open, (u8, u8)> {
        Open::parse(&[&FIXED[..], parameters].concat()).map_err(|n| (n.code, n.subcode))
    }

    fn open(capabilities: Vec<Capability>) -> Open {
        Open { asn: Asn(64512), hold_time: 90, router_id: RouterId(0x0a00_0001), capabilities }
    }

    fn through_the_wire(open: &Open) -> (Vec<u8>, Open) {
        let mut bytes = Vec::new();
        open.encode(&mut bytes);
        let read = Open::parse(frame(&bytes, MAX_LEN).unwrap().unwrap().body).unwrap();
        (bytes, read)
    }

    #[test]
    fn an_open_without_capabilities_reads_back() {
        let open = open(vec![]);
        let (bytes, read) = through_the_wire(&open);
        assert_eq!((bytes.len(), read), (29, open));
    }

    #[test]
    fn a_four_octet_number_goes_into_the_capability_and_as_trans_into_the_field() {
        let mut sent = open(vec![Capability::FourOctetAs(Asn(4_200_000_000))]);
        sent.asn = Asn(4_200_000_000);
        let (bytes, read) = through_the_wire(&sent);
        assert_eq!(&bytes[20..22], &23456u16.to_be_bytes());
        assert_eq!(read, sent);
    }

    #[test]
    fn capabilities_over_255_octets_go_out_in_the_extended_form_and_read_back() {
        for octets in [240, 250, 251, 252, 253, 254, 255, 300, 3000] {
            let capabilities = (0..octets / 10)
                .map(|_| Capability::Unknown { code: 200, value: vec![7; 8] })
                .chain([Capability::Unknown { code: 201, value: vec![8; octets % 10] }])
                .collect();
            let open = open(capabilities);
            assert_eq!(through_the_wire(&open).1, open, "{octets} octets");
        }
    }

    #[test]
    fn an_open_never_exceeds_4096_octets() {
        let open = open(vec![Capability::Unknown { code: 200, value: vec![7; 255] }; 30]);
        let (bytes, read) = through_the_wire(&open);
        assert!(bytes.len() <= MAX_LEN);
        assert_eq!(read.capabilities.len(), 15);
    }

    #[test]
    fn another_version_is_answered_with_ours() {
        let mut body = [&FIXED[..], &[0]].concat();
        body[0] = 3;
        assert_eq!(Open::parse(&body), Err(Notification::with_data(2, 1, vec![0, 4])));
    }

    #[test]
    fn a_parameter_other_than_capabilities_is_refused() {
        assert_eq!(parse(&[3, 1, 1, 0]), Err((2, 4)));
    }

    #[test]
    fn several_parameters_with_capabilities_are_joined() {
        let open = parse(&[8, 2, 2, 2, 0, 2, 2, 70, 0]).unwrap();
        assert_eq!(open.capabilities, [Capability::RouteRefresh, Capability::EnhancedRouteRefresh]);
    }

    #[test]
    fn parameters_that_do_not_fill_their_length_are_refused() {
        for parameters in [&[1][..], &[2, 2], &[5, 2, 2, 2, 0], &[3, 2, 2, 2, 0], &[4, 2, 3, 2, 0], &[0, 1]] {
            assert_eq!(parse(parameters), Err((2, 0)), "{parameters:?}");
        }
    }

    // CVE-2022-40302 and CVE-2022-40318: the extended form with its length cut off was read past the end. There is one
    // parser here, so one rule.
    #[test]
    fn an_extended_parameter_length_that_is_cut_off_is_refused() {
        for parameters in [&[255, 255][..], &[255, 255, 0], &[255, 255, 0, 3], &[255, 255, 0, 3, 2, 0]] {
            assert_eq!(parse(parameters), Err((2, 0)), "{parameters:?}");
        }
        assert_eq!(parse(&[255, 255, 0, 0]).map(|open| open.capabilities), Ok(vec![]));
    }

    // CVE-2022-43681: the OPEN ends at the length of its optional parameters.
    #[test]
    fn an_open_that_ends_at_the_parameters_length_is_refused() {
        assert_eq!(parse(&[255]), Err((2, 0)));
        assert_eq!(parse(&[]), Err((2, 0)));
    }

    // CVE-2022-36440: looking ahead for the four-octet AS number ran into an assertion.
    #[test]
    fn a_four_octet_as_capability_that_is_cut_off_is_refused_or_skipped() {
        assert_eq!(parse(&[6, 2, 4, 65, 4, 0, 1]), Err((2, 0)));
        let short = parse(&[6, 2, 4, 65, 2, 0, 1]).unwrap();
        assert_eq!(short.asn, Asn(64512));
        assert_eq!(short.capabilities, [Capability::Unknown { code: 65, value: vec![0, 1] }]);
    }

    // CVE-2018-5381: a Multiprotocol capability with an unknown family looped for ever.
    #[test]
    fn an_unknown_family_is_kept_and_passed_over() {
        let open = parse(&[14, 2, 12, 1, 4, 0x40, 4, 0, 0x47, 1, 4, 0, 1, 0, 1]).unwrap();
        let unknown = Family { afi: 0x4004, safi: 0x47 };
        let expected = [unknown, Family::IPV4_UNICAST].map(Capability::Multiprotocol);
        assert_eq!(open.capabilities, expected);
    }

    #[test]
    fn an_as_number_of_zero_in_the_field_is_not_hidden_by_the_capability() {
        let mut body = [&FIXED[..], &[8, 2, 6, 65, 4, 0, 0, 0xfc, 0]].concat();
        body[1] = 0;
        body[2] = 0;
        assert_eq!(Open::parse(&body).unwrap().asn, Asn(0));
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_or_refused(body in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            let _ = Open::parse(&body);
        }

        #[test]
        fn what_was_read_is_written_so_that_it_reads_the_same(
            parameters in proptest::collection::vec((0u8..80, proptest::collection::vec(0u8..4, 0..12)), 0..12)
        ) {
            let value: Vec<u8> = parameters
                .iter()
                .flat_map(|(code, value)| [&[*code, value.len() as u8], &value[..]].concat())
                .collect();
            let body = [&FIXED[..], &[value.len() as u8 + 2, 2, value.len() as u8], &value].concat();
            let open = Open::parse(&body).unwrap();
            let (bytes, read) = through_the_wire(&open);
            proptest::prop_assert_eq!(&read, &open);
            let (again, _) = through_the_wire(&read);
            proptest::prop_assert_eq!(again, bytes);
        }
    }
}
