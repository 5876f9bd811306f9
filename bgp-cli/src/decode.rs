//! `bgp decode`: messages in hexadecimal, explained. Needs no daemon.

use bgp_core::PeerKind;
use bgp_core::describe::{DescribeContext, describe};
use bgp_core::wire::{MessageType, Open, frame};

use crate::error::{CliError, Exit};
use crate::options::{Format, Output, line, print};

/// The longest message (RFC 8654).
const MAX_LEN: usize = 65_535;

/// Prints every message in `hex`; a false outcome says that something is wrong with one.
pub(crate) fn decode(
    output: &Output,
    hex: &str,
    open: Option<&str>,
    external: bool,
) -> Result<Exit, CliError> {
    let bytes = octets(hex)?;
    let mut context = DescribeContext::default();
    if let Some(open) = open {
        context = context.with_open(&parse_open(&octets(open)?)?);
    }
    if external {
        context.decode.kind = PeerKind::External;
    }
    let messages = describe(&bytes, &context);
    let json: Vec<String> = messages.iter().map(|message| message.to_json()).collect();
    match output.format() {
        Format::Json => line(&format!(r#"{{"schema":"bgp.decoded/v1","messages":[{}]}}"#, json.join(",")))?,
        Format::Ndjson => json.iter().try_for_each(|message| line(message))?,
        _ => messages.iter().try_for_each(|message| print(&message.to_string()))?,
    }
    let whole = !messages.is_empty() && messages.iter().all(|message| message.kind.is_some());
    Ok(if whole { Exit::Fine } else { Exit::False })
}

/// Octets from hexadecimal digits; blanks, colons and a leading `0x` are skipped.
fn octets(hex: &str) -> Result<Vec<u8>, CliError> {
    let digits: String = hex.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    let digits = digits.strip_prefix("0x").unwrap_or(&digits);
    let wrong = digits.chars().find(|c| !c.is_ascii_hexdigit());
    if let Some(wrong) = wrong {
        return Err(CliError::Usage(format!("`{wrong}` is no hexadecimal digit")));
    }
    if digits.len() % 2 == 1 {
        return Err(CliError::Usage("an octet has two hexadecimal digits; the last one has one".to_owned()));
    }
    let pairs = digits.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    Ok(pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect())
}

fn parse_open(bytes: &[u8]) -> Result<Open, CliError> {
    match frame(bytes, MAX_LEN) {
        Ok(Some(message)) if message.kind == MessageType::Open => {
            Open::parse(message.body).map_err(|wrong| CliError::Usage(format!("--open: {wrong}")))
        }
        Ok(Some(_)) => Err(CliError::Usage("--open: that is no OPEN message".to_owned())),
        Ok(None) => Err(CliError::Usage("--open: the message is cut off".to_owned())),
        Err(wrong) => Err(CliError::Usage(format!("--open: {wrong}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_may_be_written_as_one_likes() {
        assert_eq!(octets("0xff00").unwrap(), [255, 0]);
        assert_eq!(octets("FF:00 0a\n").unwrap(), [255, 0, 10]);
        assert_eq!(octets("fg").unwrap_err().to_string(), "`g` is no hexadecimal digit");
        assert!(octets("fff").is_err());
    }
}
