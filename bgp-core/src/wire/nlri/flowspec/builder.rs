//! Flow specifications from values.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::component::{BitmaskField, DESTINATION, NumericField, SOURCE};
use super::prefix::FlowPrefix;
use super::term::{BitMatch, Comparison, Operator, Term};
use super::{FlowSpec, FlowSpecError, IpVersion};
use crate::Family;
use crate::wire::nlri::RouteDistinguisher;

/// Makes the value of a flow specification: its components in the order of their types, each value in as few octets
/// as it needs. A component given twice counts as given last.
///
/// ```
/// use bgp_core::wire::nlri::flowspec::{Comparison, FlowSpec, FlowSpecBuilder, NumericField, Term};
/// use bgp_core::{Family, Prefix};
///
/// let range = [Term::new(Comparison::GreaterOrEqual, 80), Term::and(Comparison::LessOrEqual, 90)];
/// let value = FlowSpecBuilder::new(Family::IPV4_FLOWSPEC)
///     .numeric(NumericField::Port, &range)
///     .numeric(NumericField::Protocol, &[Term::new(Comparison::Equal, 6)])
///     .destination("10.0.0.0/8".parse::<Prefix>()?)
///     .build()?;
/// let flow = FlowSpec::new(Family::IPV4_FLOWSPEC, &value)?;
/// assert_eq!(flow.to_string(), "dst 10.0.0.0/8 proto =6 port >=80&<=90");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FlowSpecBuilder {
    family: Family,
    distinguisher: RouteDistinguisher,
    components: BTreeMap<u8, Vec<u8>>,
    foreign_prefix: bool,
}

impl FlowSpecBuilder {
    /// One of this family without a component.
    #[must_use]
    pub fn new(family: Family) -> FlowSpecBuilder {
        let (distinguisher, components) = (RouteDistinguisher([0; 8]), BTreeMap::new());
        FlowSpecBuilder { family, distinguisher, components, foreign_prefix: false }
    }

    /// The VPN it is for, in the families that have one; others ignore it. Without it all eight octets are 0.
    #[must_use]
    pub fn distinguisher(mut self, distinguisher: RouteDistinguisher) -> FlowSpecBuilder {
        self.distinguisher = distinguisher;
        self
    }

    /// Where the packet goes to.
    #[must_use]
    pub fn destination(self, prefix: impl Into<FlowPrefix>) -> FlowSpecBuilder {
        self.prefix(DESTINATION, prefix.into())
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(self, prefix: impl Into<FlowPrefix>) -> FlowSpecBuilder {
        self.prefix(SOURCE, prefix.into())
    }

    /// One of its numbers.
    #[must_use]
    pub fn numeric(self, field: NumericField, terms: &[Term<Comparison>]) -> FlowSpecBuilder {
        self.terms(field as u8, terms)
    }

    /// Some of its bits.
    #[must_use]
    pub fn bitmask(self, field: BitmaskField, terms: &[Term<BitMatch>]) -> FlowSpecBuilder {
        self.terms(field as u8, terms)
    }

    /// The value, without the length that stands before it on the wire: what [`FlowSpec::new`] takes.
    ///
    /// # Errors
    /// If the family is none of flow specifications or does not have one of the components, a prefix is of the other
    /// version of IP, there is no component, one has no terms or a value too large for it, or the whole is over 4095
    /// octets.
    pub fn build(self) -> Result<Vec<u8>, FlowSpecError> {
        let foreign = FlowSpecError::Family(self.family);
        let (_, vpn) = super::form(self.family).ok_or(foreign)?;
        if self.foreign_prefix {
            return Err(foreign);
        }
        let mut value = if vpn { self.distinguisher.0.to_vec() } else { Vec::new() };
        value.extend(self.components.into_values().flatten());
        FlowSpec::new(self.family, &value)?;
        Ok(value)
    }

    fn prefix(mut self, code: u8, prefix: FlowPrefix) -> FlowSpecBuilder {
        let version = match prefix.address() {
            IpAddr::V4(_) => IpVersion::V4,
            IpAddr::V6(_) => IpVersion::V6,
        };
        self.foreign_prefix |= super::form(self.family).is_some_and(|(own, _)| own != version);
        let mut component = vec![code];
        prefix.encode(&mut component);
        self.components.insert(code, component);
        self
    }

    fn terms<O: Operator>(mut self, code: u8, terms: &[Term<O>]) -> FlowSpecBuilder {
        let mut component = vec![code];
        for (at, term) in terms.iter().enumerate() {
            let term = Term { and: term.and && at != 0, ..*term };
            term.encode(&mut component, at + 1 == terms.len());
        }
        self.components.insert(code, component);
        self
    }
}
