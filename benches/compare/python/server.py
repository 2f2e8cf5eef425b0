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

    port: int
    pid: int

    def url(self, work: Work) -> str:
        """The base URL under which `work` is answered."""
        return f"http://127.0.0.1:{self.port}/{work.name}"


@contextmanager
def running() -> Iterator[Server]:
    """An nginx that ends, with its directory, when the context does."""
    with TemporaryDirectory(prefix="hedgerow-compare-") as directory:
        port = _free_port()
        _write_files(Path(directory), port)
        command = [_nginx(), "-p", directory, "-c", "nginx.conf", "-e", "error.log"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            _wait_until_it_listens(process, port, Path(directory))
            yield Server(port, process.pid)
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


def _write_files(directory: Path, port: int) -> None:
    locations = "\n        ".join(_location(directory, work) for work in ALL)
    text = CONFIGURATION.format(port=port, locations=locations)
    (directory / "nginx.conf").write_text(text)


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
