# Two commands: `make demo` shows the thing at work, `make test` runs all there is.
.PHONY: demo test test-python test-node lint bench
.PHONY: compare compare-instructions compare-python compare-node compare-harness compare-limits

demo:
	cargo run --release --features mock --example demo

# Documentation examples and the demo are tests as well: each is run.
test: lint test-python test-node
	cargo build --features cli --examples
	cargo test --features cli --lib --bins --tests --benches
	cargo test --features cli --doc
	cargo test --package hedgerow-compare
	cargo test --package hedgerow-fuzz

# The Python package, as a user would install it, in a fresh venv.
PYTHON ?= python3
VENV = target/python
test-python:
	cargo build --features cli --bin batchbench
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check ./bindings/python \
		--requirement bindings/python/tests/requirements.txt
	BATCHBENCH="$${CARGO_TARGET_DIR:-target}/debug/batchbench" \
		$(VENV)/bin/python -m pytest bindings/python

# The Node package, as its README builds it.
test-node:
	cargo build --features cli --bin batchbench
	cd bindings/node && npm ci --no-audit --no-fund && npm run build
	target=$$(realpath "$${CARGO_TARGET_DIR:-target}") && cd bindings/node && \
		BATCHBENCH="$$target/debug/batchbench" npm test

lint:
	cargo fmt --all --check
	cargo clippy --workspace --features cli --all-targets -- --deny warnings
	cargo clippy --lib -- --deny warnings
	cargo clippy --lib --no-default-features -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --features cli

# Micro-benchmarks.
bench:
	cargo bench --features mock

# The comparisons, each against nginx with canned answers (apt-get install nginx-light).
# In Rust: CPU a request beside bare sockets.
compare:
	cargo run --release --package hedgerow-compare --

# The same by instructions that valgrind counts, whatever else runs (apt-get install valgrind).
compare-instructions:
	cargo run --release --package hedgerow-compare -- instructions

# From Python and from Node: beside the clients that people use there.
compare-python:
	$(PYTHON) benches/compare/python/compare.py

compare-node:
	cd benches/compare/node && node compare.mjs

# The same clients at servers that say no: our mock, with limits.
compare-limits:
	$(PYTHON) benches/compare/limits/limits.py

# The harness beside oha, wrk and the batchbench of PyPI.
compare-harness:
	$(PYTHON) benches/compare/harness/harness.py
