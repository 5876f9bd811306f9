use super::{Feature, Matrix, ROUTERS};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The table; below it, for each row with a «no», whose it is and why.
pub(super) fn markdown(matrix: &Matrix) -> String {
    let mut text = String::from("| what | tests |");
    ROUTERS.iter().for_each(|(.., title)| text.extend([" ", title, " |"]));
    text.push_str("\n|---|---|---|---|---|---|---|\n");
    for row in &matrix.rows {
        let _ = write!(text, "| {} | {} |", row.what, tests(matrix, &row.name));
        for (router, ..) in ROUTERS {
            text.push_str(if row.unsupported.contains_key(router) { " no |" } else { " yes |" });
        }
        text.push('\n');
    }
    text.push('\n');
    matrix.rows.iter().filter(|row| !row.unsupported.is_empty()).for_each(|row| reasons(row, &mut text));
    text
}

fn tests(matrix: &Matrix, feature: &str) -> String {
    let names = matrix.tests.iter().filter(|test| test.feature == feature);
    names.map(|test| format!("`{}`", test.name)).collect::<Vec<_>>().join(", ")
}

/// `- an X: FRR, GoBGP: it has no such thing.`
fn reasons(row: &Feature, text: &mut String) {
    let mut who: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (router, _, title) in ROUTERS {
        if let Some(reason) = row.unsupported.get(router) {
            who.entry(reason).or_default().push(title);
        }
    }
    let parts: Vec<String> =
        who.iter().map(|(reason, titles)| format!("{}: {reason}", titles.join(", "))).collect();
    let _ = writeln!(text, "- {}. {}.", row.what, parts.join(". "));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Tested;

    #[test]
    fn cells_without_a_test_have_their_reason_below() {
        let unsupported = ["frr", "gobgp"].map(|name| (name.to_owned(), "it has no X".to_owned()));
        let row = Feature { name: "x".to_owned(), what: "an X".to_owned(), unsupported: unsupported.into() };
        let routers = ["bird", "openbgpd", "exabgp"].map(str::to_owned).to_vec();
        let tests = vec![Tested { feature: "x".to_owned(), name: "file::works".to_owned(), routers }];
        let text = markdown(&Matrix { rows: vec![row], tests });
        assert!(text.contains("| an X | `file::works` | yes | no | no | yes | yes |\n"), "{text}");
        assert!(text.ends_with("\n\n- an X. FRR, GoBGP: it has no X.\n"), "{text}");
    }
}
