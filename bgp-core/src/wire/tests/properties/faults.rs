//! What is wrong is found, once, and where it is.

use super::*;

/// Attributes of an internal peer: whichever is spoilt, the others stay sound.
const SOUND: [&[u8]; 6] = [
    ORIGIN,
    AS_PATH,
    NEXT_HOP,
    &[0x80, 4, 4, 0, 0, 0, 7],
    &[0xc0, 8, 8, 0xfc, 0, 0, 1, 0xfc, 0, 0, 2],
    &[0x80, 10, 4, 1, 1, 1, 1],
];

/// Whether the fault says where in `body` it is and what follows from it.
fn is_sound(fault: &Fault, body: &[u8]) -> bool {
    let notification = fault.notification(body);
    fault.offset <= body.len()
        && fault.treatment > Treatment::Accept
        && notification.code == Notification::UPDATE
        && notification.data.len() <= body.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_body_is_read_or_refused_for_one_fault_within_it(bytes in rough_body(), ctx in any_context()) {
        let view = match UpdateView::parse(&bytes, &ctx) {
            Ok(view) => view,
            Err(malformed) => {
                prop_assert!(is_sound(&malformed.fault, &bytes), "{malformed}");
                prop_assert_eq!(malformed.fault.treatment, Treatment::ResetSession);
                prop_assert_eq!(malformed.notification, malformed.fault.notification(&bytes));
                return Ok(());
            }
        };
        prop_assert!(view.faults().iter().all(|fault| is_sound(fault, &bytes)));
        prop_assert!(view.treatment() < Treatment::ResetSession);
        for usage in [BlockUse::Announce, BlockUse::MpReach, BlockUse::None] {
            let checked = view.attributes().check(&ctx, usage, &mut Vec::new());
            prop_assert!(checked.faults.iter().all(|fault| is_sound(fault, &bytes)));
            let worst = checked.worst().map_or(Treatment::Accept, |fault| fault.treatment);
            prop_assert_eq!(checked.treatment, worst);
        }
    }

    #[test]
    fn one_wrong_attribute_is_one_fault_at_its_offset(
        attributes in Just(SOUND.to_vec()).prop_shuffle(), at in 0..SOUND.len(), withdrawn in vec(Just(0u8), 0..9),
    ) {
        let mut spoilt = attributes[at].to_vec();
        spoilt[0] ^= flag::TRANSITIVE;
        let mut attributes = attributes;
        attributes[at] = &spoilt;
        let update = body(&withdrawn, &attributes, NLRI);
        let outcome = receive(&update, &context(PeerKind::Internal));
        let before: usize = attributes[..at].iter().map(|attribute| attribute.len()).sum();
        let offset = 2 + withdrawn.len() + 2 + before;
        let found: Vec<_> = outcome.faults.iter().map(|fault| (fault.code, fault.offset)).collect();
        prop_assert_eq!(found, [(spoilt[1], offset)]);
    }
}

#[test]
fn the_attributes_that_are_spoilt_are_sound() {
    let outcome = receive(&body(&[], &SOUND, NLRI), &context(PeerKind::Internal));
    assert_eq!((outcome.treatment, outcome.text()), (Treatment::Accept, String::new()));
}
