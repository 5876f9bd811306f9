# Every target works in a fresh clone. CARGO_TARGET_DIR may lie anywhere.

TARGET := $(or $(CARGO_TARGET_DIR),target)
BIN := $(TARGET)/ci
DAEMONS := -p route-reflector -p bgp-speaker -p bgp-cli
# Where the benchmark's run.py is; no part of this project.
BENCH ?= ../shared/bench
COMPARE := PYTHONDONTWRITEBYTECODE=1 bench/compare
# Seconds for each fuzz target in `make fuzz`.
TIME ?= 60
# What `make test` draws its random inputs from: the same build gives the same answer.
SEED ?= 1
# How long `make soak` takes.
MINUTES ?= 30
# The networks that `make sim` simulates, and what else it is told.
SEEDS ?= 10000

.PHONY: help setup binaries test-binaries demo test lint instructions faults fuzz sim replay soak strain sessions bench bench-limit bench-growth bench-profile bench-render bench-codec bench-rib bench-hostile bench-fib bench-dataplane musl

help: ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install what tests and demo need (Debian, root), where it is missing
	interop/setup

binaries: ## the two daemons and the command line, with the profile `ci`
	cargo build --locked --profile ci $(DAEMONS)

# With all that tests need, so that what follows finds its libraries built: a part of them has fewer features.
test-binaries:
	cargo build --locked --profile ci --workspace --all-targets

demo: setup binaries ## three nodes and a reflector in network namespaces, with pings between pods
	examples/demo/run $(BIN)

lint: ## format, clippy, documentation
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --profile ci --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --profile ci --workspace --no-deps

instructions: ## what the hot paths of codec and RIB take, against bench/instructions.toml
	bench/instructions

# Everything: lints, documentation tests, unit tests, simulation, planted mistakes, hot paths, tests with BIRD, FRR and GoBGP, fuzzing.
test: setup lint test-binaries instructions faults ## all tests, and every fuzz target for a while; random inputs are drawn from SEED=1
	cargo test --locked --profile ci --workspace --doc
	PROPTEST_RNG_SEED=$(SEED) cargo nextest run --locked --cargo-profile ci --workspace
	cd bench && PYTHONDONTWRITEBYTECODE=1 python3 -m unittest --quiet comparison.tests
	fuzz/run --seed $(SEED)

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

soak: setup binaries ## MINUTES=30: recorded UPDATEs again and again, everything looked at each second; FILE=x.mrt.gz instead of the excerpt
	cargo build --locked --profile ci -p interop --bin soak
	mkdir -p docs/reliability
	$(BIN)/soak --minutes $(MINUTES) $(if $(FILE),--file $(FILE)) --csv docs/reliability/soak.csv
	$(COMPARE) render

strain: setup binaries ## kills, loss, strangers, garbage and want happen to real daemons (ARGS="--seconds 10 --seed 7 kills garbage")
	cargo build --locked --profile ci -p interop --bin strain
	$(BIN)/strain $(ARGS)

sessions: ## 1,000 sessions for an hour: what ends, what it costs; then all again at once (ARGS="--minutes 5 --sessions 200")
	cargo build --locked --release -p route-reflector
	$(COMPARE) sessions $(ARGS)

bench: ## BENCH=DIR: the route reflector beside BIRD, FRR and OpenBGPD (ARGS="--rows S1,S2 --daemons bird --small")
	$(COMPARE) run --bench $(BENCH) --check
	cargo build --locked --release -p route-reflector
	$(COMPARE) run --bench $(BENCH) $(ARGS)

bench-limit: ## BENCH=DIR: the fan-out beside a program that only writes the same octets
	$(COMPARE) limit --bench $(BENCH) --check
	cargo build --locked --release -p route-reflector
	cargo build --locked --release --manifest-path bench/limit/Cargo.toml
	$(COMPARE) limit --bench $(BENCH) $(ARGS)

bench-growth: ## BENCH=DIR: up to 4M routes and 2,000 clients (ARGS="--routes 10000,100000 --receivers ''"), and idle sessions
	$(COMPARE) growth --bench $(BENCH) --check
	cargo build --locked --release -p route-reflector
	$(COMPARE) growth --bench $(BENCH) $(ARGS)
	$(COMPARE) idle

bench-profile: ## BENCH=DIR: where the CPU time goes, by perf (ARGS="--rows S1,S3"); what it records stays out of git
	$(COMPARE) profile --bench $(BENCH) --check
	cargo build --locked --release -p route-reflector
	$(COMPARE) profile --bench $(BENCH) $(ARGS)

bench-render: ## the tables and charts of docs/performance.md again, from the JSON beside it
	$(COMPARE) render

bench-codec: ## the codec beside the BGP crates of crates.io (ARGS="--json FILE")
	cargo run --locked --release --manifest-path bench/codec/Cargo.toml -- $(ARGS)

bench-rib: ## time, memory and growth of the tables (ARGS="memory --json FILE")
	cargo run --locked --release -p rib-bench -- $(ARGS)

bench-hostile: ## bad peers beside good ones: this route reflector, BIRD and FRR (ARGS="--quick --only flood")
	cargo build --locked --release -p route-reflector
	cargo run --locked --release --manifest-path bench/hostile/Cargo.toml -- --route-reflector $(abspath $(TARGET))/release/route-reflector $(ARGS)

bench-fib: ## routes into the kernel: raw netlink, fib-sync, bgp-speaker, BIRD, FRR (ARGS="--quick --only session")
	cargo build --locked --release -p bgp-speaker
	cargo run --locked --release --manifest-path bench/fib/Cargo.toml -- --bgp-speaker $(abspath $(TARGET))/release/bgp-speaker $(ARGS)

bench-dataplane: ## TCP and small UDP packets from pod to pod: direct, VXLAN, IPIP (ARGS="--small --reps 1 --seconds 1")
	cargo build --locked --release -p bgp-speaker
	$(COMPARE) dataplane --speaker $(TARGET)/release/bgp-speaker $(ARGS)

musl: ## static binaries, as in deploy/Containerfile
	rustup target add x86_64-unknown-linux-musl
	cargo build --locked --release --target x86_64-unknown-linux-musl $(DAEMONS)
