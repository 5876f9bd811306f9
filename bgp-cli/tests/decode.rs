//! `bgp decode` as it is run: files of every form, what is printed, exit codes, and the examples in its page.

#![cfg(test)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const KEEPALIVE: &str = "ffffffffffffffffffffffffffffffff001304";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn session() -> String {
    root().join("bgp-capture/tests/data/session.pcap").display().to_string()
}

fn recorded() -> String {
    root().join("interop/tests/data/route-reflector-2015.excerpt.mrt.gz").display().to_string()
}

fn decode<'a>(words: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bgp"));
    command.arg("decode").args(words);
    command
}

/// Standard output, standard error, exit code.
fn run(mut command: Command) -> (String, String, i32) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap(), status.code().unwrap())
}

fn json<'a>(words: impl IntoIterator<Item = &'a str>) -> Value {
    let mut command = decode(words);
    command.arg("--json");
    serde_json::from_str(&run(command).0).unwrap()
}

#[test]
fn words_are_decoded_without_a_daemon() {
    let (out, err, code) = run(decode([KEEPALIVE]));
    assert_eq!((out.as_str(), code), ("#1 KEEPALIVE, 19 octets\n", 0));
    assert_eq!(err, "read: 1 KEEPALIVE; faults: none\n");
    let document = json([KEEPALIVE]);
    assert_eq!(
        (&document["schema"], &document["messages"][0]["type"]),
        (&"bgp.decoded/v1".into(), &"KEEPALIVE".into())
    );
    let (out, _, code) = run(decode(["ffff"]));
    assert_eq!((out.as_str(), code), ("#1 2 octets lost\n  error: the message is cut off\n", 1));
}

#[test]
fn wrong_words_are_wrong_usage() {
    assert_eq!(run(decode(["xyz"])).2, 2);
    assert_eq!(run(decode([KEEPALIVE, "--open", KEEPALIVE])).2, 2);
    assert_eq!(run(decode([])).2, 2);
    assert_eq!(run(decode([KEEPALIVE, "--file", "-"])).2, 2);
    let (_, err, code) = run(decode([KEEPALIVE, "--families", "ipv5"]));
    assert!(err.contains("`ipv5` is no address family"), "{err}");
    assert_eq!(code, 2);
    let (_, err, code) = run(decode(["--file", "/nonexistent"]));
    assert!(err.starts_with("error: /nonexistent: "), "{err}");
    assert_eq!(code, 4);
}

#[test]
fn a_capture_is_read_in_the_terms_of_its_session() {
    let (out, err, code) = run(decode(["--file", &session()]));
    assert_eq!(err, "read: 2 KEEPALIVE, 1 NOTIFICATION, 2 OPEN, 2 ROUTE-REFRESH, 9 UPDATE; faults: none\n");
    assert_eq!(code, 0);
    let first =
        "#1 2026-11-21T17:23:28.545234Z 10.0.0.1:179 -> 10.0.0.2:52171 OPEN, 57 octets\n  asn: 64512\n";
    assert!(out.starts_with(first), "{out}");
    assert!(out.contains("family ipv6, nlri fd00:244:1::/64, next_hop fd00::2\n"), "{out}");
    assert!(out.contains("meaning: Cease: Administrative Shutdown \"maintenance\"\n"), "{out}");
}

#[test]
fn a_recorded_table_is_read_with_both_ends_and_times() {
    let document = json(["--file", &recorded()]);
    let messages = document["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 471);
    for message in messages {
        assert_eq!((&message["from"], &message["from_asn"]), (&"206.220.231.55".into(), &3856.into()));
        assert_eq!((&message["type"], &message["treatment"]), (&"UPDATE".into(), &"accept".into()));
        assert!(message["time"].as_str().unwrap().starts_with("2015-10-23T02:"));
    }
    assert_eq!(document["summary"]["types"][0]["count"], 471);
}

#[test]
fn faults_are_shown_alone_if_asked_for() {
    let faulty = "ffffffffffffffffffffffffffffffff00170200090000";
    let words = [KEEPALIVE, faulty, KEEPALIVE, "--faults"];
    let (out, err, code) = run(decode(words));
    assert!(out.starts_with("#2 UPDATE, 23 octets\n") && !out.contains("KEEPALIVE"), "{out}");
    assert_eq!((err.as_str(), code), ("read: 2 KEEPALIVE, 1 UPDATE; faults: 1 session reset\n", 1));
    let document = json(words);
    assert_eq!(document["messages"].as_array().unwrap().len(), 1);
    assert_eq!(document["summary"]["unsound"], 1);
}

#[test]
fn standard_input_and_hexadecimal_files_are_read_too() {
    let mut command = decode(["--file", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{KEEPALIVE}\n{KEEPALIVE}\nzz").as_bytes()).unwrap();
    let Output { status, stdout, .. } = child.wait_with_output().unwrap();
    let expected = "#1 KEEPALIVE, 19 octets\n#2 KEEPALIVE, 19 octets\n\
                    #3 record 3 at octet 38: `z` is no hexadecimal digit\n";
    assert_eq!((String::from_utf8(stdout).unwrap().as_str(), status.code()), (expected, Some(1)));
}

#[test]
fn a_file_of_the_wrong_form_is_told() {
    let (out, _, code) = run(decode(["--file", &session(), "--format", "mrt"]));
    assert!(out.ends_with("cut off by the end of the file\n"), "{out}");
    assert_eq!(code, 1);
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let mut command = decode(["--file", &recorded()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("#1 2015-10-23T02:01:"), "{line}");
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert_eq!((String::from_utf8(stderr).unwrap().as_str(), status.code()), ("", Some(0)));
}

/// Each `console` block of the page is one command and what it prints; JSON may be laid out for people.
#[test]
fn the_examples_in_the_page_are_what_is_printed() {
    let page = std::fs::read_to_string(root().join("docs/decode.md")).unwrap();
    let blocks: Vec<&str> =
        page.split("```console\n").skip(1).filter_map(|block| block.split("```").next()).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let (command, expected) = block.split_once('\n').unwrap();
        let words = command.strip_prefix("$ bgp decode ").unwrap();
        let (out, _, code) = run(decode(words.split(' ')));
        assert_eq!(code, 1, "the example has a fault");
        match serde_json::from_str::<Value>(expected) {
            Ok(expected) => assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), expected),
            Err(_) => assert_eq!(out, expected),
        }
    }
}

#[test]
fn the_schema_has_every_field_that_is_printed() {
    let schema = std::fs::read_to_string(root().join("docs/schema/decoded-v1.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let (row, fault) = (&schema["$defs"]["row"], &schema["$defs"]["fault"]);
    let check = |value: &Value, schema: &Value| {
        for (name, _) in value.as_object().unwrap() {
            assert!(schema["properties"][name].is_object(), "{name}");
        }
        for name in schema["required"].as_array().unwrap() {
            assert!(value.get(name.as_str().unwrap()).is_some(), "{name} in {value}");
        }
    };
    let documents = [
        json(["--file", &session()]),
        json(["--file", &recorded()]),
        json(["ffffffffffffffffffffffffffffffff00170200090000"]),
        json([format!("00{KEEPALIVE}").as_str()]),
    ];
    for document in documents {
        check(&document, &schema);
        check(&document["summary"], &schema["properties"]["summary"]);
        for message in document["messages"].as_array().unwrap() {
            check(message, row);
            message["faults"].as_array().unwrap().iter().for_each(|found| check(found, fault));
        }
    }
}
