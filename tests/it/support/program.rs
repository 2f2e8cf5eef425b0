//! Programs of this package, as child processes.

use std::process::{Child, Command};

/// A built example of this package: `cargo test` builds them all, beside this test.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("this test's own path");
    let build = test.ancestors().nth(2).expect("target/PROFILE/deps/it");
    let path = build.join("examples").join(name);
    assert!(
        path.exists(),
        "{} is not built: cargo build --features cli --examples",
        path.display()
    );
    Command::new(path)
}

/// Ended by its handle when the test ends, however it does.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
