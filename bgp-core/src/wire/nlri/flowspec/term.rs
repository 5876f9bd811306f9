//! The terms of a component: operators and values, joined by AND and OR (RFC 8955 section 4.2.1).

use std::fmt;
use std::marker::PhantomData;

use super::FlowSpecError;
use crate::wire::cursor::Cursor;

/// The last term of a list.
const END_OF_LIST: u8 = 0x80;
/// Joined with the term before by AND.
const AND: u8 = 0x40;

/// What a term does with its value: [`Comparison`] or [`BitMatch`].
pub trait Operator: Copy {
    /// The operator in the low bits of `octet`; those that are reserved don't count.
    fn from_bits(octet: u8) -> Self;

    /// The low bits that stand for it.
    fn bits(self) -> u8;
}

/// How a number of the packet is compared with the value (RFC 8955 section 4.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Never matches, whatever the value.
    False = 0,
    /// The number is the value.
    Equal = 1,
    /// The number is above it.
    Greater = 2,
    /// The number is the value or above it.
    GreaterOrEqual = 3,
    /// The number is below it.
    Less = 4,
    /// The number is the value or below it.
    LessOrEqual = 5,
    /// The number is another.
    NotEqual = 6,
    /// Always matches, whatever the value.
    True = 7,
}

impl Operator for Comparison {
    fn from_bits(octet: u8) -> Comparison {
        match octet & 7 {
            0 => Comparison::False,
            1 => Comparison::Equal,
            2 => Comparison::Greater,
            3 => Comparison::GreaterOrEqual,
            4 => Comparison::Less,
            5 => Comparison::LessOrEqual,
            6 => Comparison::NotEqual,
            _ => Comparison::True,
        }
    }

    fn bits(self) -> u8 {
        self as u8
    }
}

/// How bits of the packet are matched with those that are set in the value (RFC 8955 section 4.2.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitMatch {
    /// At least one of them is set.
    Any = 0,
    /// All of them are set.
    All = 1,
    /// None of them is set.
    NotAny = 2,
    /// At least one of them is not set.
    NotAll = 3,
}

impl Operator for BitMatch {
    fn from_bits(octet: u8) -> BitMatch {
        match octet & 3 {
            0 => BitMatch::Any,
            1 => BitMatch::All,
            2 => BitMatch::NotAny,
            _ => BitMatch::NotAll,
        }
    }

    fn bits(self) -> u8 {
        self as u8
    }
}

/// One operator with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term<O> {
    /// Whether it is joined with the term before by AND, which binds stronger, or else by OR. Never of the first
    /// term.
    pub and: bool,
    /// What is done with the value.
    pub operator: O,
    /// The value.
    pub value: u64,
}

impl<O: Operator> Term<O> {
    /// A term that begins a list, or is joined with the one before by OR.
    #[must_use]
    pub fn new(operator: O, value: u64) -> Term<O> {
        Term { and: false, operator, value }
    }

    /// The same, joined with the term before by AND.
    #[must_use]
    pub fn and(operator: O, value: u64) -> Term<O> {
        Term { and: true, operator, value }
    }

    /// Appends the term, its value in as few octets as it needs.
    pub(super) fn encode(&self, out: &mut Vec<u8>, last: bool) {
        let length_code = match self.value {
            0..=0xff => 0,
            0x100..=0xffff => 1,
            0x1_0000..=0xffff_ffff => 2,
            _ => 3,
        };
        let (and, end) = (if self.and { AND } else { 0 }, if last { END_OF_LIST } else { 0 });
        out.push(end | and | length_code << 4 | self.operator.bits());
        out.extend(self.value.to_be_bytes().into_iter().skip(8 - (1 << length_code)));
    }
}

impl fmt::Display for Term<Comparison> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.operator {
            Comparison::False => return f.write_str("false"),
            Comparison::True => return f.write_str("true"),
            Comparison::Equal => "=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::NotEqual => "!=",
        };
        write!(f, "{sign}{}", self.value)
    }
}

/// The terms of one component, already known to be readable: iterating can't fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms<'a, O> {
    rest: &'a [u8],
    first: bool,
    operator: PhantomData<O>,
}

impl<'a, O> Terms<'a, O> {
    /// Takes a list off the front, up to the term that says it is the last. Values may have at most `longest` octets;
    /// `code` is the component's type, for the error.
    pub(super) fn read(
        cursor: &mut Cursor<'a>,
        code: u8,
        longest: usize,
    ) -> Result<Terms<'a, O>, FlowSpecError> {
        let cut_off = FlowSpecError::CutOff { component: code };
        let start = *cursor;
        loop {
            let octet = cursor.u8().ok_or(cut_off)?;
            let len = value_len(octet);
            if len > longest {
                return Err(FlowSpecError::ValueLength { component: code, len, longest });
            }
            cursor.take(len).ok_or(cut_off)?;
            if octet & END_OF_LIST != 0 {
                break;
            }
        }
        let list = start.rest().get(..start.len() - cursor.len()).ok_or(cut_off)?;
        Ok(Terms { rest: list, first: true, operator: PhantomData })
    }
}

/// How many octets of value follow an operator: 1, 2, 4 or 8.
fn value_len(operator: u8) -> usize {
    1 << (operator >> 4 & 3)
}

impl<O: Operator> Iterator for Terms<'_, O> {
    type Item = Term<O>;

    fn next(&mut self) -> Option<Term<O>> {
        let mut cursor = Cursor::new(self.rest);
        let octet = cursor.u8()?;
        let value = cursor.take(value_len(octet))?;
        let value = value.iter().fold(0, |number, octet| number << 8 | u64::from(*octet));
        // RFC 8955 section 4.2.1.1: there is nothing before the first that it could be joined with.
        let and = octet & AND != 0 && !self.first;
        (self.rest, self.first) = (cursor.rest(), false);
        Some(Term { and, operator: O::from_bits(octet), value })
    }
}
