//! The table of features and routers in `docs/interop.md`: made from the tests, told by the tests' results.
//!
//! ```text
//!   tests/*.rs: feature_tests! { "reflection": test [bird frr]; }  ──┐
//!   features.toml: rows, and why a router has no cell ───────────────┴─► Matrix ──► the table in docs/interop.md
//!                                                                          ▲
//!   $INTEROP_MATRIX: a line for each cell that has run and held ───────────┘ (`interop/matrix`)
//! ```

mod render;
mod source;

use crate::{Error, Result, Software, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

pub use source::Tested;

/// The variable that names the file to which a test that held adds its cell.
const RESULTS: &str = "INTEROP_MATRIX";

/// Makes tests of functions `fn(Software) -> Result<()>`, one for each router named, each a cell of the table of features:
///
/// ```ignore
/// interop::feature_tests! {
///     "reflection": sees_the_other_clients_routes_reflected [bird frr gobgp openbgpd];
///     "md5": is_accepted_with_a_key [all];
/// }
/// ```
///
/// makes `sees_the_other_clients_routes_reflected::bird` and so on; `all` are the five. The feature is a row of
/// `interop/features.toml`, which says why a router that is not named has none.
#[macro_export]
macro_rules! feature_tests {
    ($($feature:literal: $test:ident [$($router:ident)+];)+) => {
        $(
            mod $test {
                $( $crate::feature_tests!(@cell $feature $test $router); )+
            }
        )+
    };
    (@cell $feature:literal $test:ident all) => {
        $crate::feature_tests!(@cell $feature $test bird);
        $crate::feature_tests!(@cell $feature $test frr);
        $crate::feature_tests!(@cell $feature $test gobgp);
        $crate::feature_tests!(@cell $feature $test openbgpd);
        $crate::feature_tests!(@cell $feature $test exabgp);
    };
    (@cell $feature:literal $test:ident $router:ident) => {
        #[test]
        fn $router() -> $crate::Result<()> {
            $crate::matrix::cell($feature, stringify!($router), super::$test)
        }
    };
}

/// The routers of the columns, with their names in tests and for people.
pub const ROUTERS: [(&str, Software, &str); 5] = [
    ("bird", Software::Bird, "BIRD 2"),
    ("frr", Software::Frr, "FRR"),
    ("gobgp", Software::GoBgp, "GoBGP"),
    ("openbgpd", Software::OpenBgpd, "OpenBGPD"),
    ("exabgp", Software::ExaBgp, "ExaBGP"),
];

/// Runs the test of a cell; if it holds, says so to the file of results.
///
/// # Errors
/// Those of `test`, and a router that there is not.
pub fn cell(feature: &str, router: &str, test: fn(Software) -> Result<()>) -> Result<()> {
    let known = ROUTERS.iter().find(|(name, ..)| *name == router);
    let (_, software, _) = known.ok_or_else(|| Error::NotSo(format!("no router is named {router}")))?;
    test(*software)?;
    ran(feature, router)
}

/// Says to the file of results, if there is one, that a feature was seen with a router.
///
/// # Errors
/// If the file cannot be written to.
pub fn ran(feature: &str, router: &str) -> Result<()> {
    let Some(path) = std::env::var_os(RESULTS) else { return Ok(()) };
    let what = || format!("cannot write to {}", Path::new(&path).display());
    let mut file =
        std::fs::File::options().append(true).create(true).open(&path).map_err(Error::io(what()))?;
    file.write_all(format!("{feature} {router}\n").as_bytes()).map_err(Error::io(what()))
}

/// A row, as `features.toml` has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Feature {
    /// As in tests.
    name: String,
    /// For people.
    what: String,
    /// Router to reason: what the other router cannot do.
    #[serde(default)]
    unsupported: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    features: Vec<Feature>,
}

/// The whole table.
#[derive(Debug)]
pub struct Matrix {
    rows: Vec<Feature>,
    tests: Vec<Tested>,
}

impl Matrix {
    /// From `features.toml` and the tests of the crate in `dir`. Every cell has a test or a reason, never both.
    ///
    /// # Errors
    /// Every cell of which that is not so, every test of a feature without a row.
    pub fn read(dir: &Path) -> Result<Matrix> {
        let path = dir.join("features.toml");
        let text =
            std::fs::read_to_string(&path).map_err(Error::io(format!("cannot read {}", path.display())))?;
        let rows: Rows =
            toml::from_str(&text).map_err(|error| Error::NotSo(format!("{}: {error}", path.display())))?;
        let matrix = Matrix { rows: rows.features, tests: source::tests_in(&dir.join("tests"))? };
        let faults = matrix.faults();
        ensure(faults.is_empty(), || faults.join("\n"))?;
        Ok(matrix)
    }

    /// The cells with tests that are not in a file of results.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn missing_from(&self, results: &Path) -> Result<Vec<String>> {
        let text = std::fs::read_to_string(results)
            .map_err(Error::io(format!("cannot read {}", results.display())))?;
        let ran: BTreeSet<&str> = text.lines().collect();
        let cells = self.rows.iter().flat_map(|row| ROUTERS.map(|(router, ..)| (row, router)));
        let tested = cells.filter(|(row, router)| self.is_tested(&row.name, router));
        Ok(tested
            .map(|(row, router)| format!("{} {router}", row.name))
            .filter(|cell| !ran.contains(cell.as_str()))
            .collect())
    }

    /// In Markdown: the table, and below it the reasons.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        render::markdown(self)
    }

    fn is_tested(&self, feature: &str, router: &str) -> bool {
        self.tests
            .iter()
            .any(|test| test.feature == feature && test.routers.iter().any(|name| name == router))
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for row in &self.rows {
            for (router, ..) in ROUTERS {
                match (self.is_tested(&row.name, router), row.unsupported.contains_key(router)) {
                    (true, true) => {
                        faults.push(format!("{} with {router} is tested, and unsupported", row.name))
                    }
                    (false, false) => faults.push(format!(
                        "{} with {router} is neither tested nor unsupported by it: features.toml says why",
                        row.name
                    )),
                    _ => {}
                }
            }
            let strange =
                row.unsupported.keys().filter(|name| ROUTERS.iter().all(|(router, ..)| router != name));
            faults.extend(strange.map(|name| format!("{}: no router is named {name}", row.name)));
        }
        for test in &self.tests {
            if self.rows.iter().all(|row| row.name != test.feature) {
                faults.push(format!("{}: features.toml has no feature {:?}", test.name, test.feature));
            }
        }
        faults
    }
}
