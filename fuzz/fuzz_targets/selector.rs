//! A selector in the first line, labels `name=value` in those behind it.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use selector::{Selector, is_label};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (text, labels) = text.split_once('\n').unwrap_or((text, ""));
    let labels: BTreeMap<String, String> = labels
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| is_label(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let selector: Selector = match text.parse() {
        Ok(selector) => selector,
        Err(error) => {
            assert!(text.is_char_boundary(error.offset), "{error:?}");
            return;
        }
    };
    let shown = selector.to_string();
    let meant = selector.matches(&labels);
    // It may be shorter: `!!` is nothing.
    let again: Selector = shown.parse().expect("what is shown can be read");
    assert_eq!(again.matches(&labels), meant, "{shown}");
    // Groups nest to a bound, which one more may exceed.
    for (other, expected) in [
        (format!("!({shown})"), !meant),
        (format!("({shown}) && all()"), meant),
        (format!("({shown}) || !all()"), meant),
    ] {
        if let Ok(other) = other.parse::<Selector>() {
            assert_eq!(other.matches(&labels), expected, "{other}");
        }
    }
});
