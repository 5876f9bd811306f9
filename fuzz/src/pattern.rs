//! Patterns of AS paths by way of regular expressions: an AS is a letter.

use bgp_core::Asn;
use regex::Regex;

/// Paths have the ASes below this.
pub const ASES: u8 = 26;

fn letter(asn: u32) -> char {
    char::from(b'a' + (asn % u32::from(ASES)) as u8)
}

/// The letters of the ASes from `low` to `high`; the paths have no others.
fn class(low: u32, high: u32) -> String {
    let letters: String = (low..=high.min(u32::from(ASES) - 1)).map(letter).collect();
    // No letter is also a class: a digit is in no path.
    if letters.is_empty() { "0".to_owned() } else { format!("[{letters}]") }
}

/// Whether a pattern that can be read matches a path of ASes below [`ASES`].
///
/// # Panics
/// If it is no regular expression once its ASes are letters.
#[must_use]
pub fn matches(pattern: &str, path: &[Asn]) -> bool {
    let mut expression = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).count();
        let count = digits(rest);
        if count == 0 {
            if !first.is_whitespace() {
                expression.push(first);
            }
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let low: u32 = rest[..count].parse().expect("an AS number");
        rest = &rest[count..];
        let range = rest.strip_prefix('-').map(|high| (high, digits(high))).filter(|(_, count)| *count > 0);
        let high = range.map_or(low, |(high, count)| high[..count].parse().expect("an AS number"));
        rest = range.map_or(rest, |(high, count)| &high[count..]);
        expression.push_str(&class(low, high));
    }
    let letters: String = path.iter().map(|asn| letter(asn.0)).collect();
    Regex::new(&expression).expect("a regular expression").is_match(&letters)
}
