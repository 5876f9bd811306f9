//! Hexadecimal text as octets.

use std::io::{self, BufRead, Read};

use crate::ErrorKind;

/// Reads the octets that hexadecimal text stands for. White space, colons and a `0x` before a word are skipped.
///
/// What is no digit ends it with an error that holds an [`ErrorKind`].
#[derive(Debug)]
pub struct HexReader<R> {
    text: R,
    /// A first digit without its second.
    half: Option<u8>,
}

impl<R: BufRead> HexReader<R> {
    /// The octets of `text`.
    pub fn new(text: R) -> HexReader<R> {
        HexReader { text, half: None }
    }

    /// The next digit's value. What is none stays where it is, so that it is found again.
    fn digit(&mut self) -> io::Result<Option<u8>> {
        loop {
            let Some(&c) = self.text.fill_buf()?.first() else { return Ok(None) };
            let digit = char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            match c {
                b'x' | b'X' if self.half == Some(0) => self.half = None,
                c if c == b':' || c.is_ascii_whitespace() => {}
                _ if digit.is_none() => return Err(invalid(ErrorKind::NotHex(char::from(c)))),
                _ => {}
            }
            self.text.consume(1);
            if digit.is_some() {
                return Ok(digit);
            }
        }
    }
}

fn invalid(kind: ErrorKind) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, kind)
}

impl<R: BufRead> Read for HexReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while let Some(slot) = out.get_mut(count) {
            match (self.digit(), self.half) {
                // What was read before an error is given out first; the error comes back with the next read.
                (Err(_), _) | (Ok(None), Some(_)) if count != 0 => break,
                (Err(error), _) => return Err(error),
                (Ok(None), Some(_)) => return Err(invalid(ErrorKind::HalfOctet)),
                (Ok(None), None) => break,
                (Ok(Some(digit)), None) => self.half = Some(digit),
                (Ok(Some(digit)), Some(first)) => {
                    (*slot, self.half) = (first << 4 | digit, None);
                    count += 1;
                }
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(text: &str) -> Result<Vec<u8>, ErrorKind> {
        let mut out = Vec::new();
        HexReader::new(text.as_bytes()).read_to_end(&mut out).map_err(ErrorKind::from)?;
        Ok(out)
    }

    #[test]
    fn hexadecimal_may_be_written_as_one_likes() {
        assert_eq!(octets("0xff00").unwrap(), [255, 0]);
        assert_eq!(octets("FF:00 0a\n0x0b").unwrap(), [255, 0, 10, 11]);
        assert_eq!(octets("").unwrap(), []);
    }

    #[test]
    fn what_is_no_octet_is_told_after_those_before_it() {
        assert_eq!(octets("fg").unwrap_err().to_string(), "`g` is no hexadecimal digit");
        assert!(matches!(octets("fff"), Err(ErrorKind::HalfOctet)));
        let mut reader = HexReader::new(&b"ff00g"[..]);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 2);
        assert!(reader.read(&mut [0; 8]).is_err());
    }
}
