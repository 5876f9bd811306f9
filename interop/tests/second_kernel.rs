//! One boot of the second kernel for all tests that need it: those of other tests' programs that say
//! `#[ignore = "…: interop/vm runs it"]`.

#![cfg(test)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use interop::{Result, ensure};

/// By this a test is found.
const MARK: &str = ": interop/vm runs it\"]";
/// All of them together, in seconds.
const LIMIT: &str = "540";
/// What is there before the first test, where the kernel would not load it by itself.
const MODULES: &str = "ipip ip6_tunnel vxlan sch_netem wireguard";

/// Tests that are one program.
struct Suite {
    /// The package's directory, where cargo would start the program.
    package: PathBuf,
    /// `package/tests/name`.
    name: String,
    program: PathBuf,
    /// How many of its tests are marked.
    tests: usize,
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Marked tests in a source file, or in all below a directory.
fn marked(path: &Path) -> usize {
    if path.is_dir() {
        return entries(path).iter().map(|path| marked(path)).sum();
    }
    let is_mark = |line: &&str| line.trim_start().starts_with("#[ignore") && line.trim_end().ends_with(MARK);
    match path.extension() == Some(OsStr::new("rs")) {
        true => fs::read_to_string(path).unwrap().lines().filter(is_mark).count(),
        false => 0,
    }
}

/// The newest program that was built from `package/tests/name.rs` or `package/tests/name/main.rs`. Beside each program
/// cargo keeps a list of its sources, relative to the workspace: several packages may have tests of one name.
fn program(source: &Path) -> Option<PathBuf> {
    let name = source.file_stem()?.to_str()?.replace('-', "_");
    let roots = [source.with_extension("rs"), source.with_extension("").join("main.rs")];
    let is_source = |word: &str| roots.iter().any(|root| workspace().join(word) == *root);
    let deps = std::env::current_exe().ok()?.parent()?.to_owned();
    let built = entries(&deps).into_iter().filter(|list| {
        let file = list.file_name().and_then(OsStr::to_str).unwrap_or_default();
        list.extension() == Some(OsStr::new("d"))
            && file.strip_prefix(&*name).is_some_and(|rest| rest.starts_with('-'))
            && fs::read_to_string(list).is_ok_and(|text| text.split_whitespace().any(is_source))
    });
    let programs = built.map(|list| list.with_extension("")).filter(|program| program.is_file());
    programs.max_by_key(|program| {
        program.metadata().and_then(|of| of.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    })
}

/// All programs with tests that are marked.
fn suites() -> Result<Vec<Suite>> {
    let mut suites = Vec::new();
    for package in entries(workspace()).into_iter().filter(|path| path.join("Cargo.toml").is_file()) {
        for source in entries(&package.join("tests")) {
            let tests = marked(&source);
            if tests == 0 {
                continue;
            }
            let name = source.strip_prefix(workspace()).unwrap().with_extension("").display().to_string();
            let missing = || format!("{name} is not built: cargo test --profile ci --workspace --no-run");
            let program = program(&source);
            ensure(program.is_some(), missing)?;
            suites.push(Suite { package: package.clone(), name, program: program.unwrap(), tests });
        }
    }
    Ok(suites)
}

/// What is run on the second kernel: every suite, whatever comes of those before it.
fn script(suites: &[Suite]) -> String {
    let mut script = format!("modprobe -a {MODULES} || exit\nfailed=0\n");
    for Suite { package, name, program, .. } in suites {
        let (package, program) = (package.display(), program.display());
        script += &format!(
            "echo 'suite {name}'; cd '{package}' && '{program}' --ignored --test-threads=2 2>&1 || failed=1\n"
        );
    }
    script + "exit $failed\n"
}

/// How many tests of each suite ended well.
fn passed(output: &str) -> BTreeMap<&str, usize> {
    let mut passed = BTreeMap::new();
    let mut suite = "";
    for line in output.lines() {
        if let Some(name) = line.strip_prefix("suite ") {
            suite = name;
        } else if line.starts_with("test ") && line.ends_with("... ok") {
            *passed.entry(suite).or_default() += 1;
        }
    }
    passed
}

#[test]
fn all_tests_that_need_the_second_kernel_pass_there() -> Result<()> {
    let suites = suites()?;
    ensure(!suites.is_empty(), || "no test is marked")?;
    let run = workspace().join("interop/vm/run");
    let output = Command::new(&run)
        .args(["-t", LIMIT, "bash", "-c", &script(&suites)])
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", run.display()));
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}{}", String::from_utf8_lossy(&output.stderr));
    ensure(output.status.success(), || format!("{}: see above", output.status))?;
    let passed = passed(&told);
    for Suite { name, tests, .. } in &suites {
        let ran = passed.get(&**name).copied().unwrap_or(0);
        ensure(ran >= *tests, || format!("{name}: {ran} of {tests} tests have run"))?;
    }
    Ok(())
}

#[test]
fn a_kernel_that_does_not_get_so_far_is_a_failure_that_shows_its_console() {
    let run = workspace().join("interop/vm/run");
    let output = Command::new(run).args(["-t", "1", "true"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains("not done within 1 s") && said.contains("the end of its console"), "{said}");
}
