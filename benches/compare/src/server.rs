//! The server: nginx with one process, a configuration of its own, and canned answers.

use crate::work::Work;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Debian puts it where the `PATH` of most users does not lead.
const PLACES: [&str; 2] = ["nginx", "/usr/sbin/nginx"];
const MISSING: &str = "nginx is not installed: apt-get install nginx-light";
const LONGEST_START: Duration = Duration::from_secs(10);

/// A running nginx. It ends, and its directory goes, when this is dropped.
pub(crate) struct Server {
    process: Child,
    port: u16,
    /// Where it speaks HTTP/2, in clear text.
    http2_port: u16,
    directory: TempDir,
}

impl Server {
    /// Starts it on a free port, and waits until it listens.
    ///
    /// # Errors
    ///
    /// When nginx is missing or does not start; the error then holds its log.
    pub(crate) fn start() -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("hedgerow-compare-")
            .tempdir()?;
        let (port, http2_port) = (free_port()?, free_port()?);
        write_files(directory.path(), port, http2_port)?;
        let process = on_nginx(|nginx| {
            nginx
                .arg("-p")
                .arg(directory.path())
                .args(["-c", "nginx.conf", "-e", "error.log"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        })?;
        let mut server = Self {
            process,
            port,
            http2_port,
            directory,
        };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    /// The base URL under which `work` is answered.
    pub(crate) fn url(&self, work: Work, http2: bool) -> String {
        let port = if http2 { self.http2_port } else { self.port };
        format!("http://127.0.0.1:{port}/{}", work.name())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if self.process.try_wait()?.is_some() || started.elapsed() > LONGEST_START {
                let log = fs::read_to_string(self.directory.path().join("error.log"));
                bail!("nginx does not start: {}", log.unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way there is nothing left to do about it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// As `nginx -v` says it.
pub(crate) fn version() -> Result<String> {
    let output = on_nginx(|nginx| nginx.arg("-v").output())?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(text.trim().trim_start_matches("nginx version: ").to_owned())
}

/// Does `start` with the first nginx that is there.
fn on_nginx<T>(start: impl Fn(&mut Command) -> io::Result<T>) -> Result<T> {
    for place in PLACES {
        match start(&mut Command::new(place)) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            other => return other.with_context(|| format!("{place} cannot be started")),
        }
    }
    bail!(MISSING)
}

/// Another process could take the port before nginx does; nginx then says so and ends.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// The configuration, and the answers that are too large to stand in it.
fn write_files(directory: &Path, port: u16, http2_port: u16) -> Result<()> {
    let mut locations = String::new();
    for work in Work::ALL {
        let (name, answer) = (work.name(), work.answer());
        let path = format!("/{name}/v1/embeddings");
        if work == Work::Small {
            writeln!(locations, "location = {path} {{ return 200 '{answer}'; }}")?;
        } else {
            let file = directory.join(&path[1..]);
            fs::create_dir_all(file.parent().unwrap_or(directory))?;
            fs::write(file, answer)?;
            // A file answers a POST with 405; the error page is the file itself, asked by GET.
            writeln!(
                locations,
                "location = {path} {{ error_page 405 =200 $uri; }}"
            )?;
        }
    }
    fs::write(
        directory.join("nginx.conf"),
        configuration(port, http2_port, &locations),
    )?;
    Ok(())
}

/// One process without a master: what is killed by its id leaves nothing behind.
fn configuration(port: u16, http2_port: u16, locations: &str) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("    {kind}_temp_path {kind}_temp;\n"))
        .concat();
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log error.log error;
events {{ worker_connections 4096; }}
http {{
{temporary}
    access_log off;
    default_type application/json;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_body_buffer_size 1m;
    open_file_cache max=16;
    http2_max_concurrent_streams 256;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        listen 127.0.0.1:{http2_port} http2 backlog=4096;
        root .;
        {locations}
    }}
}}
"
    )
}
