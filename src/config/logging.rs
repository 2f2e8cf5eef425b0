//! A logger for programs that have none of their own: the binary, the bindings, the examples.

/// Reads the log level and starts logging to stderr: `PERFORMANCE_CLIENT_LOG_LEVEL`, else
/// `RUST_LOG`, else `warn`. A second call, or a logger of the program's own, changes nothing.
///
/// It is there with the feature `env_logger`, which is one of the defaults. Without it hedgerow
/// still logs, through the `log` crate, to whatever logger the program has set.
pub fn init_logging() {
    let level = ["PERFORMANCE_CLIENT_LOG_LEVEL", "RUST_LOG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "warn".into());
    let started = env_logger::Builder::new().parse_filters(&level).try_init();
    if started.is_err() {
        log::debug!("a logger is already set; hedgerow logs to that one");
    }
}
