//! A real proxy, tinyproxy, as a child process: one a test, on a port and with settings of its own.

use super::eventually;
use super::program::Running;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A running proxy. It ends with its handle.
pub(crate) struct Tinyproxy {
    address: SocketAddr,
    directory: PathBuf,
    _running: Running,
}

impl Tinyproxy {
    /// Starts a proxy with these lines in its configuration.
    pub(crate) fn start(settings: &str) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Relaxed);
        let name = format!("tinyproxy-{}-{number}", std::process::id());
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&directory).expect("a temporary directory");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a free port");
        let (file, log) = (directory.join("conf"), directory.join("log"));
        let configuration = format!(
            "Listen 127.0.0.1\nPort {}\nTimeout 60\nMaxClients 200\nLogLevel Info\n\
             LogFile \"{}\"\n{settings}\n",
            address.port(),
            log.display(),
        );
        std::fs::write(&file, configuration).expect("a temporary file");
        let started = Command::new("tinyproxy")
            .arg("-d")
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = started.unwrap_or_else(|cause| match cause.kind() {
            ErrorKind::NotFound => panic!("there is no tinyproxy: apt-get install tinyproxy"),
            _ => panic!("tinyproxy does not start: {cause}"),
        });
        let running = Running(child);
        eventually("the proxy listens", || TcpStream::connect(address).is_ok());
        Self {
            address,
            directory,
            _running: running,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its URL, with a user's name and password.
    pub(crate) fn url_with(&self, credentials: &str) -> String {
        format!("http://{credentials}@{}", self.address)
    }

    /// The request lines that it has logged.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.directory.join("log")).expect("its log");
        let lines = log.lines().filter(|line| line.contains("Request ("));
        lines
            .filter_map(|line| Some(line.split_once("): ")?.1.to_owned()))
            .collect()
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
