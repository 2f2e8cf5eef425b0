# Two commands: `make demo` shows the thing at work, `make test` runs all there is.
.PHONY: demo test lint bench compare

demo:
	cargo run --quiet --release --features mock --example demo

# Documentation examples and the demo are tests as well: each is run.
test: lint
	cargo build --features cli --examples
	cargo test --features cli --lib --bins --tests --benches
	cargo test --features cli --doc
	cargo test --package hedgerow-compare

lint:
	cargo fmt --all --check
	cargo clippy --workspace --features cli --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --features cli

# Micro-benchmarks.
bench:
	cargo bench --features mock

# CPU a request beside bare sockets, against nginx (apt-get install nginx-light).
compare:
	cargo run --release --package hedgerow-compare --
