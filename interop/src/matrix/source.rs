use super::ROUTERS;
use crate::{Error, Result};
use std::path::Path;

/// A line of `feature_tests!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The row.
    pub feature: String,
    /// The file without its ending, and the function: `states::is_asked_for_its_routes_again`.
    pub name: String,
    /// The columns.
    pub routers: Vec<String>,
}

/// Those of all files of a directory.
pub(super) fn tests_in(dir: &Path) -> Result<Vec<Tested>> {
    let what = || format!("cannot read {}", dir.display());
    let mut files: Vec<_> =
        std::fs::read_dir(dir).map_err(Error::io(what()))?.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut tests = Vec::new();
    for file in files.iter().filter(|path| path.extension().is_some_and(|ext| ext == "rs")) {
        let text = std::fs::read_to_string(file).map_err(Error::io(what()))?;
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        tests.extend(tests_of(&stem, &text)?);
    }
    Ok(tests)
}

/// Those of one file.
fn tests_of(file: &str, text: &str) -> Result<Vec<Tested>> {
    let bodies = text.split("interop::feature_tests! {").skip(1).filter_map(|rest| rest.split('}').next());
    let lines = bodies.flat_map(|body| body.split(';')).map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let line = line
                .lines()
                .filter(|part| !part.trim_start().starts_with("//"))
                .collect::<Vec<_>>()
                .join(" ");
            test(file, line.trim()).ok_or_else(|| Error::NotSo(format!("{file}.rs: not understood: {line}")))
        })
        .collect()
}

/// `"feature": test [router router]`
fn test(file: &str, line: &str) -> Option<Tested> {
    let (feature, rest) = line.strip_prefix('"')?.split_once("\":")?;
    let (name, routers) = rest.strip_suffix(']')?.split_once('[')?;
    let named = |word: &str| match word {
        "all" => ROUTERS.iter().map(|(router, ..)| (*router).to_owned()).collect(),
        _ => vec![word.to_owned()],
    };
    Some(Tested {
        feature: feature.to_owned(),
        name: format!("{file}::{}", name.trim()),
        routers: routers.split_whitespace().flat_map(named).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_macro_are_read() {
        let text = "fn x() {}\ninterop::feature_tests! {\n    \"md5\": with_a_key [bird frr];\n    // Why.\n    \"bfd\": dies\n    [all];\n}\nfn y() {}\n";
        let tests = tests_of("clients", text).unwrap();
        assert_eq!(tests[0].name, "clients::with_a_key");
        assert_eq!((tests[0].feature.as_str(), tests[0].routers.join(" ").as_str()), ("md5", "bird frr"));
        assert_eq!((tests[1].feature.as_str(), tests[1].routers.len()), ("bfd", 5));
    }
}
