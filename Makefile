# Toolchain: Rust 1.95 or newer from https://rustup.rs (`curl -sSf https://sh.rustup.rs | sh`); on Debian beside it `apt-get install gcc make`.
TARGET := $(or $(CARGO_TARGET_DIR),target)
LIB := $(TARGET)/release/librampart.so
BIN := $(TARGET)/release/rampart

.PHONY: build run test check score verify bench fuzz deb tarball sbom reproducible clean help lint scale peers

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile

build: ## target/release/rampart and target/release/librampart.so
	cargo build --release -p rampart
	cargo build --profile preload -p preload
	install -m 0755 $(TARGET)/preload/librampart_preload.so $(LIB).new
	mv -f $(LIB).new $(LIB)

run: build ## the main job: a small agent under Rampart, what ran and what was denied
	tests/demo/run.sh $(BIN) $(LIB)

lint: ## format, lints, dependency direction
	.ci/format.sh
	.ci/dependencies.sh
	cargo clippy --workspace --all-targets -- -D warnings

check: lint ## fast inner loop: lint and unit tests
	cargo test -p evaluator -p policy-schema -p policies --quiet

test: ## everything: installs what the tests need, builds, runs all tests and gates
	.ci/install.sh
	$(MAKE) build
	.ci/symbols.sh
	.ci/order.sh
	.ci/instructions.sh
	cargo test --workspace

score: ## what the shipped policies catch: tests/corpus, and ../shared/corpora where present
	cargo build --release -p rampart
	$(BIN) score --profile anti-exfiltration tests/corpus/exfiltration.jsonl tests/corpus/reverse_shells.jsonl
	@for corpus in tests/corpus $(wildcard ../shared/corpora); do \
		for packs in "" "--pack all"; do \
			echo; echo "$$corpus: --profile standard $$packs"; \
			$(BIN) score --profile standard $$packs $$corpus || exit 1; \
		done; \
	done

verify: ## how often effects of code are found, and what verdicts by them catch
	cargo build --release -p rampart
	$(BIN) verify score rampart/tests/verify/cases $(wildcard ../shared/corpora)

bench: build ## ratios against a bare run of the same minute
	cargo build --profile preload -p first
	install -m 0755 $(TARGET)/preload/first $(TARGET)/release/first-verdict
	cargo run --release --quiet -p bench -- $(LIB)

scale: build ## how costs grow with rules, length, processes and clients
	cargo run --release --quiet -p bench -- scale $(LIB)

peers: build ## what others cost here: snoopy, strace, PEER_SO=path
	cargo run --release --quiet -p bench -- peers $(LIB)

fuzz: ## fuzz targets, 10 minutes each (needs nightly and cargo-fuzz)
	fuzz/run.sh 600

deb: build ## target/package/rampart_*.deb
	@mkdir -p $(TARGET)/package
	packaging/deb.sh $(BIN) $(LIB) $(TARGET)/package

STATIC := $(shell uname -m)-unknown-linux-musl
tarball: build ## target/package/rampart-*.tar.xz: a static rampart and the library (needs musl-gcc)
	rustup target add $(STATIC)
	CC_$(subst -,_,$(STATIC))=musl-gcc cargo build --release -p rampart --target $(STATIC)
	@mkdir -p $(TARGET)/package
	packaging/tarball.sh $(TARGET)/$(STATIC)/release/rampart $(LIB) $(TARGET)/package

sbom: ## target/package/rampart.cdx.json: all crates, CycloneDX
	@mkdir -p $(TARGET)/package
	python3 packaging/sbom.py >$(TARGET)/package/rampart.cdx.json

reproducible: ## builds the library twice and compares
	packaging/reproducible.sh

clean: ## remove what was built
	cargo clean
