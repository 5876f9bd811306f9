//! OPEN (RFC 4271 section 4.2) with the optional parameters of RFC 5492 and RFC 9072.
//!
//! The first message of each side: who it is, how long it will wait for a sign of life, and what it can do beyond
//! RFC 4271. The latter stands in optional parameters, of which one type is left: capabilities.
//!
//! ```text
//!  octets  1         2    2           4                1
//!          │ version │ AS │ hold time │ BGP Identifier │ length │ parameters …
//!
//!  parameters, RFC 4271:    1 length │ type 1, length 1, value │ type 1, length 1, value …
//!  parameters, RFC 9072:    1 not 0, 1 = 255, 2 length │ type 1, length 2, value │ type 1, length 2, value …
//! ```
//!
//! An AS number over 65535 does not fit: [`Asn::TRANS`] stands for it, and the number itself is in the capability of
//! RFC 6793.

use nom::bytes::complete::take;
use nom::multi::length_data;
use nom::number::complete::{be_u8, be_u16, be_u32};
use nom::{IResult, Parser};

use super::capability::{Capability, Offered};
use super::header::{HEADER_LEN, MAX_LEN, MessageType, write_message};
use super::notification::{Notification, open_error};
use crate::{Asn, RouterId};

/// The only version there is (RFC 4271 section 4.2).
pub const VERSION: u8 = 4;

/// The optional parameter that holds capabilities (RFC 5492 section 4).
const CAPABILITIES: u8 = 2;
/// The parameter type that says that lengths are two octets wide (RFC 9072 section 2).
const EXTENDED: u8 = 255;
/// Octets of an OPEN up to and including the optional parameters' length.
const FIXED_LEN: usize = HEADER_LEN + 10;

/// What a speaker says of itself when a connection is up (RFC 4271 section 4.2).
///
/// [`Open::parse`] checks form only; whether the numbers suit the session is the session's to judge. What a
/// capability means that is repeated, [`Offered`] tells.
///
/// ```
/// use bgp_core::wire::header::MAX_LEN;
/// use bgp_core::wire::{Capability, Open, frame};
/// use bgp_core::{Asn, Family, RouterId};
///
/// let open = Open {
///     asn: Asn(4_200_000_000),
///     hold_time: 90,
///     router_id: RouterId(0x0a00_0001),
///     capabilities: vec![
///         Capability::Multiprotocol(Family::IPV6_UNICAST),
///         Capability::FourOctetAs(Asn(4_200_000_000)),
///     ],
/// };
/// let mut bytes = Vec::new();
/// open.encode(&mut bytes);
///
/// let message = frame(&bytes, MAX_LEN)?.expect("a whole message");
/// assert_eq!(Open::parse(message.body)?, open);
/// assert_eq!(Open::parse(&[3]).unwrap_err().to_string(), "OPEN Message Error: Unspecific");
/// # Ok::<(), bgp_core::Notification>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The real number: from the four-octet capability if it is there (RFC 6793 section 3).
    pub asn: Asn,
    /// The proposed hold time in seconds, 0 to 65535; 0 asks for none, 1 and 2 are not allowed.
    pub hold_time: u16,
    /// The BGP Identifier; 0 is not allowed (RFC 6286 section 2.1).
    pub router_id: RouterId,
    /// In the order of the message. To send an AS number over 65535 it must contain [`Capability::FourOctetAs`].
    pub capabilities: Vec<Capability>,
}

impl Open {
    /// Reads a message body, the optional parameters in either form: RFC 9072 section 2 marks the extended one by the
    /// type 255 of the first parameter, whatever the one-octet length before it says, and allows it for short
    /// parameters too. Only a length of zero leaves no room for that type. Capabilities may be spread over several
    /// parameters.
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
        let asn = match Offered(&capabilities).four_octet_as() {
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

/// Appends the optional parameters: one with all capabilities, in the extended form only if their length is over 255
/// (RFC 9072 section 2).
fn write_parameters(out: &mut Vec<u8>, capabilities: &[u8]) {
    match (capabilities.len(), u8::try_from(capabilities.len() + 2)) {
        (0, _) => out.push(0),
        (_, Ok(total)) => {
            out.extend_from_slice(&[total, CAPABILITIES, total - 2]);
            out.extend_from_slice(capabilities);
        }
        (len, Err(_)) => {
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
mod tests;
