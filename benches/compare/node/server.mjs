// The server: nginx with one process, a configuration of its own, and canned answers; over HTTP/1.1
// at one port and over HTTP/2 in clear text at another.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ALL, answerOf } from './works.mjs';

const LONGEST_START_MS = 10_000;

/** One process without a master: what is killed by its id leaves nothing behind. */
const configuration = (port, port2, locations) => `
daemon off;
master_process off;
pid nginx.pid;
error_log error.log error;
events { worker_connections 4096; }
http {
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
    http2_max_concurrent_streams 1024;
    client_body_buffer_size 1m;
    open_file_cache max=16;
    server {
        listen 127.0.0.1:${port} backlog=4096;
        listen 127.0.0.1:${port2} http2 backlog=4096;
        root .;
        ${locations.join('\n        ')}
    }
}
`;

/** Starts nginx: its ports, its process, and what ends it together with its directory. */
export async function start() {
  const directory = mkdtempSync(join(tmpdir(), 'hedgerow-compare-'));
  const [port, port2] = [await freePort(), await freePort()];
  const locations = ALL.map((work) => location(directory, work));
  writeFileSync(join(directory, 'nginx.conf'), configuration(port, port2, locations));
  const args = ['-p', directory, '-c', 'nginx.conf', '-e', 'error.log'];
  const child = spawn(nginx(), args, { stdio: 'ignore' });
  const stop = () => {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  };
  const began = performance.now();
  while (!(await listens(port))) {
    if (child.exitCode !== null || performance.now() - began > LONGEST_START_MS) {
      const log = readFileSync(join(directory, 'error.log'), 'utf8');
      stop();
      throw new Error(`nginx does not start: ${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const url = (work, http2) => `http://127.0.0.1:${http2 ? port2 : port}/${work.name}`;
  return { pid: child.pid, url, stop };
}

/** As `nginx -v` says it. */
export function version() {
  const output = execFileSync('sh', ['-c', '"$0" -v 2>&1', nginx()], { encoding: 'utf8' });
  return output.trim().replace('nginx version: ', '');
}

function nginx() {
  // Debian puts it where the PATH of most users does not lead.
  const places = [...process.env.PATH.split(':'), '/usr/sbin'];
  const found = places.map((place) => join(place, 'nginx')).find((path) => existsSync(path));
  if (!found) {
    throw new Error('nginx is not installed: apt-get install nginx-light');
  }
  return found;
}

function location(directory, work) {
  const path = `/${work.name}${work.path}`;
  if (work.batch === 1) {
    return `location = ${path} { return 200 '${answerOf(work)}'; }`;
  }
  const file = join(directory, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, answerOf(work));
  // A file answers a POST with 405; the error page is the file itself, asked by GET.
  return `location = ${path} { error_page 405 =200 $uri; }`;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function listens(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (is) => () => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', end(true));
    socket.once('error', end(false));
  });
}
