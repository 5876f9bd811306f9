//! The page of the manual that shows the table.

use std::fmt::Write;

use crate::wire::rules::{attribute_rules, fault_rules, name};

/// Where the page is.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/rfc7606.md");
/// Set to have the page written anew.
const REWRITE: &str = "REWRITE_DOCS";

fn page() -> String {
    let mut page = String::from(
        "# What is wrong with an UPDATE, and what is done about it\n\n\
         RFC 7606 and its like as `bgp-core` applies them. This page is made from the tables of the code, of which every\n\
         row is a test: `REWRITE_DOCS=1 cargo test -p bgp-core rfc7606` writes it anew.\n\n\
         ## Attributes\n\n\
         An attribute with other flags or of another length is treated as the last but one column says, unless the second\n\
         table knows better. One from another sender is discarded unread. One that comes twice counts once, except that\n\
         a second MP attribute resets the session.\n\n\
         | code | attribute | class | from | length | if malformed | where |\n|---|---|---|---|---|---|---|\n",
    );
    for rule in attribute_rules() {
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} |",
            rule.code, rule.name, rule.class, rule.from, rule.length, rule.malformed, rule.section
        );
    }
    page.push_str(
        "\n## Faults of values, and of the UPDATE itself\n\n| of | fault | treatment | where |\n|---|---|---|---|\n",
    );
    for rule in fault_rules() {
        let of = match (rule.code, name(rule.code)) {
            (0, _) => "UPDATE".to_owned(),
            (_, Some(name)) => name.to_owned(),
            (code, None) => format!("attribute {code}"),
        };
        let _ = writeln!(page, "| {of} | {} | {} | {} |", rule.fault, rule.treatment, rule.section);
    }
    page
}

#[test]
fn the_page_shows_the_table_as_it_is() {
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(PAGE, page()).unwrap();
    }
    let written = std::fs::read_to_string(PAGE).unwrap();
    assert!(written == page(), "docs/rfc7606.md is out of date: run with {REWRITE}=1");
}
