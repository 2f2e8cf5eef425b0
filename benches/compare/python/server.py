"""The server: nginx with one process, a configuration of its own, and canned answers."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from works import ALL, Work

LONGEST_START_S = 10
AUTHORITY = "authority.pem"
CERTIFICATE = "certificate.pem"

# One process without a master: what is killed by its id leaves nothing behind.
CONFIGURATION = """
daemon off;
master_process off;
pid nginx.pid;
error_log error.log error;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path client_body_temp;
    proxy_temp_path proxy_temp;
    fastcgi_temp_path fastcgi_temp;
    uwsgi_temp_path uwsgi_temp;
    scgi_temp_path scgi_temp;
    access_log off;
    default_type application/json;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    keepalive_timeout 3600s;
    client_body_buffer_size 1m;
    open_file_cache max=16;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root .;
        {locations}
    }}
}}
"""


@dataclass(frozen=True)
class Server:
    """A running nginx."""

    ports: dict[str, int]
    """By the parameters of `listen`."""
    pid: int
    authority: Path
    """The certificate that a client of TLS is to trust."""

    def url(self, work: Work) -> str:
        """The base URL under which `work` is answered."""
        scheme = "https" if work.tls else "http"
        return f"{scheme}://127.0.0.1:{self.ports[_protocol(work)]}/{work.name}"

    def trust(self, work: Work) -> dict[str, str]:
        """What a client's environment needs."""
        return {"SSL_CERT_FILE": str(self.authority)} if work.tls else {}


@contextmanager
def running() -> Iterator[Server]:
    """An nginx that ends, with its directory, when the context does."""
    with TemporaryDirectory(prefix="hedgerow-compare-") as name:
        directory = Path(name)
        ports = {protocol: _free_port() for protocol in {"", *map(_protocol, ALL)}}
        _write_files(directory, ports)
        command = [_nginx(), "-p", name, "-c", "nginx.conf", "-e", "error.log"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            _wait_until_it_listens(process, ports[""], directory)
            yield Server(ports, process.pid, directory / AUTHORITY)
        finally:
            process.kill()
            process.wait()


def version() -> str:
    """As `nginx -v` says it."""
    output = subprocess.run(
        [_nginx(), "-v"], capture_output=True, text=True, check=True
    )
    return output.stderr.strip().removeprefix("nginx version: ")


def _nginx() -> str:
    # Debian puts it where the PATH of most users does not lead.
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        raise SystemExit("nginx is not installed: apt-get install nginx-light")
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _protocol(work: Work) -> str:
    """The parameters of the `listen` that a work needs."""
    return " ssl" * work.tls + " http2" * work.http2


def _write_files(directory: Path, ports: dict[str, int]) -> None:
    _write_certificates(directory)
    lines = [
        f"listen 127.0.0.1:{port}{protocol} backlog=4096;"
        for protocol, port in ports.items()
        if protocol
    ]
    lines += [f"ssl_certificate {CERTIFICATE};", f"ssl_certificate_key {CERTIFICATE};"]
    lines += [_location(directory, work) for work in ALL]
    text = CONFIGURATION.format(port=ports[""], locations="\n        ".join(lines))
    (directory / "nginx.conf").write_text(text)


def _write_certificates(directory: Path) -> None:
    """One that is trusted, and one for nginx that it signed."""
    from trustme import CA  # The comparison of harnesses uses this file without it.

    authority = CA()
    authority.cert_pem.write_to_path(directory / AUTHORITY)
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(directory / CERTIFICATE)


def _location(directory: Path, work: Work) -> str:
    path = f"/{work.name}{work.path}"
    if work.batch == 1:
        return f"location = {path} {{ return 200 '{work.answer()}'; }}"
    file = directory / path[1:]
    file.parent.mkdir(parents=True)
    file.write_text(work.answer())
    # A file answers a POST with 405; the error page is the file itself, asked by GET.
    return f"location = {path} {{ error_page 405 =200 $uri; }}"


def _wait_until_it_listens(
    process: subprocess.Popen[bytes], port: int, directory: Path
) -> None:
    deadline = time.monotonic() + LONGEST_START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.02)
    raise SystemExit(f"nginx does not start: {(directory / 'error.log').read_text()}")
