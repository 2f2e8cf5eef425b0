//! What Node needs of the linker.

fn main() {
    napi_build::setup();
    // Node unloads what a worker thread has loaded when that ends. Threads of ours run in it still.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|target| target == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
