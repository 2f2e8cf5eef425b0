//! What the environment says beside keys and proxies.

/// The first part of every request's id: `PERFORMANCE_CLIENT_REQUEST_ID_PREFIX`, else
/// `perfclient`.
pub(crate) fn request_id_prefix() -> String {
    std::env::var("PERFORMANCE_CLIENT_REQUEST_ID_PREFIX")
        .ok()
        .filter(|prefix| {
            !prefix.is_empty() && prefix.bytes().all(|byte| (0x21..0x7f).contains(&byte))
        })
        .unwrap_or_else(|| "perfclient".to_owned())
}
