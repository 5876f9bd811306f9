//! Writing the attributes of a canonical block.

pub(crate) const WELL_KNOWN: u8 = 0x40;
pub(crate) const OPTIONAL: u8 = 0x80;
pub(crate) const OPTIONAL_TRANSITIVE: u8 = 0xc0;
const EXTENDED_LENGTH: u8 = 0x10;

/// The flags that an attribute came with, but for the one that says how its length is written.
pub(crate) fn flags(whole: &[u8]) -> u8 {
    whole.first().map_or(OPTIONAL_TRANSITIVE, |flags| flags & !EXTENDED_LENGTH)
}

/// Writes one attribute.
pub(crate) fn put(out: &mut Vec<u8>, flags: u8, attribute: u8, value: &[u8]) {
    match u8::try_from(value.len()) {
        Ok(len) => out.extend_from_slice(&[flags, attribute, len]),
        Err(_) => {
            let [high, low] = u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes();
            out.extend_from_slice(&[flags | EXTENDED_LENGTH, attribute, high, low]);
        }
    }
    out.extend_from_slice(value);
}
