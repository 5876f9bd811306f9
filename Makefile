# Every target works in a fresh clone. CARGO_TARGET_DIR may lie anywhere.

TARGET := $(or $(CARGO_TARGET_DIR),target)
BIN := $(TARGET)/ci
DAEMONS := -p route-reflector -p bgp-speaker -p bgp-cli
BENCH ?= ../shared/bench
# Seconds for each fuzz target: TIME in `make fuzz`, FUZZ_TIME in `make test`.
TIME ?= 60
FUZZ_TIME ?= 20
# The networks that `make sim` simulates, and what else it is told.
SEEDS ?= 10000

.PHONY: help setup binaries demo test lint instructions faults fuzz sim replay bench bench-codec bench-hostile musl

help: ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install what tests and demo need (Debian, root), where it is missing
	interop/setup

binaries: ## the two daemons and the command line, with the profile `ci`
	cargo build --locked --profile ci $(DAEMONS)

demo: setup binaries ## three nodes and a reflector in network namespaces, with pings between pods
	examples/demo/run $(BIN)

lint: ## format, clippy, documentation
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --profile ci --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --profile ci --workspace --no-deps

instructions: ## what the codec's hot paths take, against bench/instructions.toml
	bench/instructions

# Everything: lints, documentation tests, unit tests, simulation, planted mistakes, hot paths, tests with BIRD, FRR and GoBGP, fuzzing.
test: setup lint binaries instructions faults ## all tests, a fuzz target for FUZZ_TIME=20 seconds each
	cargo test --locked --profile ci --workspace --doc
	cargo nextest run --locked --cargo-profile ci --workspace
	fuzz/run --time $(FUZZ_TIME)

faults: ## plants mistakes in the code, one after another: the simulation has to find each
	RUSTFLAGS="--cfg planted_faults" cargo run --locked --profile ci -p sim --target-dir $(TARGET)/planted -- --faults

fuzz: setup ## TIME=60: every fuzz target for so many seconds; a crash is an error and names the input
	fuzz/run --time $(TIME)

sim: ## SEEDS=10000: so many simulated networks; a wrong table is an error and comes with a test (ARGS="--first 7")
	cargo run --locked --profile ci -p sim -- --seeds $(SEEDS) --shrink $(ARGS)

replay: setup binaries ## FILE=x.mrt.gz: a recorded table through the reflector to BIRD and a kernel, all compared
	@test -n "$(FILE)" || { echo "make replay FILE=path/to/updates.mrt.gz"; exit 2; }
	cargo build --locked --profile ci -p interop --bin replay
	$(BIN)/replay compare $(FILE)

bench: ## BENCH=dir: this route reflector beside BIRD, FRR, GoBGP and OpenBGPD (ARGS="--small")
	@test -f $(BENCH)/run.py || { echo "no $(BENCH)/run.py: set BENCH to the directory of the benchmark"; exit 2; }
	cargo build --locked --release -p route-reflector
	python3 $(BENCH)/run.py --adapter $(CURDIR)/bench/route-reflector.py --cmd $(abspath $(TARGET))/release/route-reflector \
		--daemons route-reflector,bird,frr,gobgp,openbgpd --scenarios S1,S2,S3,S4 $(ARGS)

bench-codec: ## the codec beside the BGP crates of crates.io (ARGS="--json FILE")
	cargo run --locked --release --manifest-path bench/codec/Cargo.toml -- $(ARGS)

bench-hostile: ## bad peers beside good ones: this route reflector, BIRD and FRR (ARGS="--quick --only flood")
	cargo build --locked --release -p route-reflector
	cargo run --locked --release --manifest-path bench/hostile/Cargo.toml -- --route-reflector $(abspath $(TARGET))/release/route-reflector $(ARGS)

musl: ## static binaries, as in deploy/Containerfile
	rustup target add x86_64-unknown-linux-musl
	cargo build --locked --release --target x86_64-unknown-linux-musl $(DAEMONS)
