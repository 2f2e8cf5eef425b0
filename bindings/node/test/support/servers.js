'use strict';
// Servers and proxies of this process, for what the mock does not speak.

const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');
const { once } = require('node:events');

/** What a model answers: an embedding an input. */
function embeddings(asked) {
  const data = JSON.parse(asked).input.map((_, index) => ({ index, embedding: [index, 0.5] }));
  const usage = { prompt_tokens: data.length, total_tokens: data.length };
  return JSON.stringify({ object: 'list', model: 'm', data, usage });
}

async function answer(request, response) {
  const asked = (await request.toArray()).join('');
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(embeddings(asked));
}

async function listen(server, sockets, test) {
  server.on('connection', (socket) => sockets.add(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  // The connections of the process's own pool stay.
  test.after(() => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** A server that speaks HTTP/2 in clear text and nothing else, until the test ends. */
async function serveHttp2(test) {
  const server = http2.createServer();
  const seen = { sessions: 0, requests: 0 };
  server.on('session', () => seen.sessions++);
  server.on('request', (request, response) => {
    seen.requests++;
    // Late: others come in the meantime.
    setTimeout(() => answer(request, response), 20);
  });
  seen.url = await listen(server, new Set(), test);
  return seen;
}

/**
 * A proxy, until the test ends, that answers itself what it is to pass on, and opens tunnels to
 * wherever `target` is. It notes what it was asked, and by whom.
 */
async function serveProxy(test, target) {
  const server = http.createServer();
  const sockets = new Set();
  const seen = { lines: [], authorizations: [] };
  const note = ({ method, url, headers }) => {
    seen.lines.push(`${method} ${url}`);
    seen.authorizations.push(headers['proxy-authorization']);
  };
  server.on('request', (request, response) => {
    note(request);
    answer(request, response);
  });
  server.on('connect', (request, socket) => {
    note(request);
    const far = net.connect(new URL(target).port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n');
      socket.pipe(far).pipe(socket);
    });
    sockets.add(far);
    far.on('error', () => socket.destroy());
    socket.on('error', () => far.destroy());
  });
  seen.url = await listen(server, sockets, test);
  seen.with = (user) => seen.url.replace('//', `//${user}@`);
  return seen;
}

module.exports = { serveHttp2, serveProxy };
