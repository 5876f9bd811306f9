//! The table of features in the documentation is the one that the tests make.

#![cfg(test)]

use interop::matrix::Matrix;
use interop::{Error, Result, ensure};
use std::path::Path;

#[test]
fn every_feature_is_tested_with_every_router_that_has_it_and_the_page_says_so() -> Result<()> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = Matrix::read(dir)?.to_markdown();
    let page = std::fs::read_to_string(dir.join("../docs/interop.md"))
        .map_err(|error| Error::NotSo(format!("docs/interop.md: {error}")))?;
    ensure(page.contains(&table), || format!("docs/interop.md has another table: interop/matrix\n{table}"))
}
