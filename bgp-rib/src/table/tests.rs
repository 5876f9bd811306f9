use super::*;
use bgp_core::{V4, V6};

#[test]
fn a_destination_with_one_path_stays_small() {
    assert_eq!(size_of::<Path>(), 32);
    assert_eq!(size_of::<Destination<V4>>(), 48);
    assert_eq!(size_of::<Destination<V6>>(), 64);
}
