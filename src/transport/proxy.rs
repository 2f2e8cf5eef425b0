//! Proxies: which requests go through one.
//!
//! Plain requests are given to a proxy as they are, with the whole URL (absolute form); for https,
//! and for HTTP/2 in clear text, it opens a tunnel (CONNECT).

use super::TransportError;
use super::secret::sensitive;
use super::target::Target;
use crate::error::{Error, Result};
use base64_simd::STANDARD;
use http::HeaderValue;
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use url::Url;

/// The proxy that requests go through.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Proxy {
    /// That of the environment: `http_proxy` for http, `https_proxy` for https (`HTTPS_PROXY` and
    /// `HTTP_PROXY` likewise), else `all_proxy`; none for hosts that `no_proxy` lists.
    #[default]
    Environment,
    /// None, whatever the environment says.
    Direct,
    /// That at this URL, for every request: `http://[user:password@]host:port`, or `https` where
    /// the proxy itself speaks TLS.
    At(String),
}

/// The URL may hold a password: only the proxy's host and port are shown.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("Environment"),
            Self::Direct => f.write_str("Direct"),
            Self::At(url) => match ProxyServer::parse("proxy", url) {
                Ok(server) => write!(f, "At({})", server.target),
                Err(_) => f.write_str("At(no URL of a proxy)"),
            },
        }
    }
}

impl Proxy {
    /// Checks the setting. What the environment names and is no proxy that can be used fails the
    /// requests that would go through it.
    ///
    /// # Errors
    ///
    /// When a URL is not one of a proxy. The error does not show it: it may hold a password.
    pub fn validate(&self) -> Result<()> {
        self.rules().map(drop)
    }

    /// The same proxy, without the user and the password that its URL may hold.
    #[must_use]
    pub fn without_password(&self) -> Self {
        let Self::At(url) = self else {
            return self.clone();
        };
        Self::At(match ProxyServer::parse("proxy", url) {
            Ok(ProxyServer { target, .. }) => {
                let scheme = if target.secure { "https" } else { "http" };
                format!("{scheme}://{target}")
            }
            // It is refused in any case.
            Err(_) => String::new(),
        })
    }

    /// Reads the setting, and the environment where it says so.
    pub(super) fn rules(&self) -> Result<Rules> {
        match self {
            Self::Direct => Ok(Rules::default()),
            Self::At(url) => {
                let server = Some(Ok(Arc::new(ProxyServer::parse("proxy", url)?)));
                Ok(Rules {
                    http: server.clone(),
                    https: server,
                    bypass: Vec::new(),
                })
            }
            Self::Environment => Ok(Rules::of_environment(|name| std::env::var(name).ok())),
        }
    }
}

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ProxyServer {
    pub(super) target: Target,
    /// The value of `proxy-authorization`.
    pub(super) authorization: Option<HeaderValue>,
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyServer({})", self.target)
    }
}

impl ProxyServer {
    /// `setting` names where the URL is from. No error shows the URL: it may hold a password.
    fn parse(setting: &str, url: &str) -> Result<Self> {
        let refused = |what: &str| {
            Error::config(format!(
                "{setting} {what}; http://[user:password@]host:port is expected, or https"
            ))
        };
        // Without a scheme, as curl takes it.
        let url = if url.contains("://") {
            Url::parse(url)
        } else {
            Url::parse(&format!("http://{url}"))
        };
        let url = url.map_err(|_| refused("is no URL"))?;
        let target = Target::of(&url).map_err(|_| refused("is of an unknown scheme"))?;
        let authorization = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let decoded = |text: &str| percent_encoding::percent_decode_str(text).collect();
                let mut pair: Vec<u8> = decoded(user);
                pair.push(b':');
                pair.extend(decoded(password.unwrap_or_default()));
                sensitive(&format!("Basic {}", STANDARD.encode_to_string(pair)))
            }
        };
        Ok(Self {
            target,
            authorization,
        })
    }
}

/// Which proxy is asked for what.
#[derive(Debug, Default)]
pub(super) struct Rules {
    http: Option<Usable>,
    https: Option<Usable>,
    bypass: Vec<Bypass>,
}

/// A proxy, or why the one that the environment names cannot be used.
type Usable = Result<Arc<ProxyServer>>;

impl Rules {
    fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| Some(((*name).to_owned(), variable(name)?)))
                .filter(|(_, value)| !value.is_empty())
        };
        let server = |(name, url): (String, String)| ProxyServer::parse(&name, &url).map(Arc::new);
        // Within CGI a request's header `proxy` comes as HTTP_PROXY (CVE-2016-5385).
        let in_cgi = variable("REQUEST_METHOD").is_some();
        let http = if in_cgi {
            first(&["http_proxy"])
        } else {
            first(&["http_proxy", "HTTP_PROXY"])
        };
        let all = || first(&["all_proxy", "ALL_PROXY"]);
        let bypass = first(&["no_proxy", "NO_PROXY"]).map(|(_, list)| list);
        let https = first(&["https_proxy", "HTTPS_PROXY"]);
        Self {
            http: http.or_else(all).map(server),
            https: https.or_else(all).map(server),
            bypass: bypass.as_deref().map(bypasses).unwrap_or_default(),
        }
    }

    /// The proxy through which `target` is reached, if it is through one.
    ///
    /// # Errors
    ///
    /// [`TransportError::BadRequest`] where that one cannot be used.
    pub(super) fn server_for(
        &self,
        target: &Target,
    ) -> std::result::Result<Option<Arc<ProxyServer>>, TransportError> {
        let server = if target.secure {
            &self.https
        } else {
            &self.http
        };
        let passed_by = || self.bypass.iter().any(|bypass| bypass.covers(target));
        match server {
            None => Ok(None),
            Some(_) if passed_by() => Ok(None),
            Some(Ok(server)) => Ok(Some(Arc::clone(server))),
            Some(Err(cause)) => Err(TransportError::BadRequest(cause.to_string())),
        }
    }
}

/// An entry of `no_proxy`.
#[derive(Debug, PartialEq, Eq)]
struct Bypass {
    hosts: Hosts,
    /// Only at this port.
    port: Option<u16>,
}

#[derive(Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// The addresses of a network; or one.
    Network(IpNet),
    /// A name, and all names below it.
    Domain(Box<str>),
}

/// Reads a list, as curl and Go do: names with what is below them, addresses, networks
/// (`10.0.0.0/8`), each perhaps with a port; `*` for all.
fn bypasses(list: &str) -> Vec<Bypass> {
    let entries = list.split([',', ' ']).map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(Bypass::read)
        .collect()
}

impl Bypass {
    fn read(entry: &str) -> Self {
        if entry == "*" {
            return Self {
                hosts: Hosts::All,
                port: None,
            };
        }
        if let Some(network) = network(entry) {
            return Self {
                hosts: Hosts::Network(network),
                port: None,
            };
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.parse().ok()),
            _ => (entry, None),
        };
        let hosts = network(host).map_or_else(
            || Hosts::Domain(host.trim_start_matches(['*', '.']).to_lowercase().into()),
            Hosts::Network,
        );
        Self { hosts, port }
    }

    fn covers(&self, target: &Target) -> bool {
        let right_port = self.port.is_none_or(|port| port == target.port);
        let right_host = match &self.hosts {
            Hosts::All => true,
            Hosts::Network(network) => {
                let address = target.host.parse::<IpAddr>();
                address.is_ok_and(|address| network.contains(&address))
            }
            Hosts::Domain(domain) => {
                let above = target.host.strip_suffix(&**domain);
                above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        };
        right_port && right_host
    }
}

fn network(text: &str) -> Option<IpNet> {
    let text = text.trim_matches(['[', ']']);
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Target {
        Target::of(&Url::parse(url).unwrap()).unwrap()
    }

    fn rules(variables: &[(&str, &str)]) -> Rules {
        Rules::of_environment(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn asked(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let server = rules(variables).server_for(&target(url)).unwrap();
        server.map(|server| server.target.to_string())
    }

    #[test]
    fn a_password_can_be_left_out() {
        for (url, without) in [
            ("http://user:secret@h:3128", "http://h:3128"),
            ("user@h", "http://h:80"),
            ("https://:secret@[::1]", "https://[::1]:443"),
            ("http://h:8080", "http://h:8080"),
            ("socks5://user:secret@h", ""),
        ] {
            let bare = Proxy::At(url.to_owned()).without_password();
            assert!(bare == Proxy::At(without.to_owned()), "{bare:?}");
        }
        assert!(Proxy::Direct.without_password() == Proxy::Direct);
    }

    #[test]
    fn each_scheme_has_its_variable() {
        let both = [("http_proxy", "http://p1:1"), ("HTTPS_PROXY", "p2:2")];
        assert_eq!(asked(&both, "http://h/"), Some("p1:1".into()));
        assert_eq!(asked(&both, "https://h/"), Some("p2:2".into()));
        let all = [("ALL_PROXY", "https://p3"), ("http_proxy", "")];
        assert_eq!(asked(&all, "https://h/"), Some("p3:443".into()));
        assert_eq!(asked(&all, "http://h/"), Some("p3:443".into()));
        assert_eq!(asked(&[], "http://h/"), None);
    }

    #[test]
    fn a_header_is_not_taken_for_a_variable() {
        let in_cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://evil:1")];
        assert_eq!(asked(&in_cgi, "http://h/"), None);
    }

    #[test]
    fn listed_hosts_are_asked_directly() {
        let list = "example.com, .inner ,10.0.0.0/8,[::1],127.0.0.1,h:81,*.wild";
        let variables = [("all_proxy", "p:1"), ("NO_PROXY", list)];
        for (url, direct) in [
            ("http://example.com/", true),
            ("https://a.Example.com/", true),
            ("http://notexample.com/", false),
            ("http://x.inner/", true),
            ("http://inner/", true),
            ("http://10.1.2.3/", true),
            ("http://11.1.2.3/", false),
            ("http://[::1]:8/", true),
            ("http://127.0.0.1:99/", true),
            ("http://h:81/", true),
            ("http://h:82/", false),
            ("http://a.wild/", true),
        ] {
            assert_eq!(asked(&variables, url).is_none(), direct, "{url}");
        }
        assert_eq!(
            asked(&[("all_proxy", "p:1"), ("no_proxy", "*")], "http://h/"),
            None
        );
    }

    #[test]
    fn a_proxy_that_cannot_be_used_fails_only_what_would_go_through_it() {
        let socks = [
            ("https_proxy", "socks5h://127.0.0.1:1080"),
            ("NO_PROXY", "inner"),
        ];
        let rules = rules(&socks);
        for url in [
            "http://h/",
            "http://inner/",
            "https://inner/",
            "https://a.inner:1/",
        ] {
            assert_eq!(rules.server_for(&target(url)), Ok(None), "{url}");
        }
        let failed = rules.server_for(&target("https://h/"));
        assert!(
            matches!(failed, Err(TransportError::BadRequest(_))),
            "{failed:?}"
        );
    }

    #[test]
    fn a_bad_url_is_refused_by_name_and_no_password_is_shown() {
        for url in [
            "socks5://u:secret@h:1",
            "http://u:secret@",
            "http://u:secret@h:99999",
        ] {
            let rules = rules(&[("https_proxy", url)]);
            let error = rules.server_for(&target("https://x/")).unwrap_err();
            assert!(error.to_string().contains("https_proxy"), "{error}");
            let shown = format!("{rules:?}");
            assert!(!shown.contains("secret"), "{shown}");
            let setting = Proxy::At(url.to_owned());
            let refused = setting.rules().unwrap_err();
            let shown = format!("{error} {error:?} {setting:?} {refused} {refused:?}");
            assert!(!shown.contains("secret"), "{shown}");
        }
        let setting = Proxy::At("http://us%40er:se%3Acret@h:1".to_owned());
        let rules = setting.rules().unwrap();
        let server = rules.server_for(&target("https://x/")).unwrap().unwrap();
        let expected = format!("Basic {}", STANDARD.encode_to_string("us@er:se:cret"));
        assert_eq!(server.authorization.as_ref().unwrap(), expected.as_str());
        let shown = format!("{setting:?} {rules:?}");
        assert!(!shown.contains("cret") && shown.contains("h:1"), "{shown}");
    }
}
