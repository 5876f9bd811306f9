//! Changes gathered by what they have in common, so that as few messages as possible say them all.

use bgp_core::wire::update::{announce, withdraw};
use bgp_core::AddressFamily;
use hashbrown::HashTable;

use super::encoder::Encoder;
use super::journal::{Audience, CHUNK};
use crate::attributes::Attrs;
use crate::peer::PeerId;
use crate::table::{DestId, Table};
