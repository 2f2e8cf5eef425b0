'use strict';
// HTTP/2 and proxies, and which connections a client has.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { cpus } = require('node:os');
const { promisify } = require('node:util');
const { test } = require('node:test');
const { HttpClientWrapper, PerformanceClient } = require('..');
const { useMock } = require('./support/mock');
const { serveHttp2, serveProxy } = require('./support/servers');
const { KEY, texts } = require('./support/texts');

const mock = useMock();
const NOWHERE = 'http://nowhere.test:81';
const many = { batchSize: 1, maxConcurrentRequests: 256 };
const basic = (pair) => `Basic ${Buffer.from(pair).toString('base64')}`;

test('with_HTTP_2_many_requests_share_few_connections', async (t) => {
  const server = await serveHttp2(t);
  const client = new PerformanceClient(server.url, KEY, 2);
  const response = await client.embed(texts(200), 'm', { ...many, maxConcurrentRequests: 64 });
  assert.deepEqual(response.shape, [200, 2]);
  assert.equal(server.requests, 200);
  // One a worker thread, of which there is one a core.
  assert.ok(server.sessions <= cpus().length, `${server.sessions} sessions`);
});

test('HTTP_1_is_what_is_spoken_without_a_word', async (t) => {
  const server = await serveHttp2(t);
  const client = new PerformanceClient(server.url, KEY);
  await assert.rejects(client.embed(['a'], 'm', { maxRetries: 0 }));
  assert.equal(server.requests, 0);
  await new PerformanceClient(mock.url, KEY, 1).embed(['a'], 'm');
});

test('what_is_in_clear_text_goes_to_the_proxy_with_its_whole_URL', async (t) => {
  const proxy = await serveProxy(t);
  const client = new PerformanceClient(NOWHERE, { apiKey: KEY, proxy: proxy.with('us%40er:se%3Acret') });
  const response = await client.embed(texts(3), 'm', many);
  assert.deepEqual(response.shape, [3, 2]);
  assert.deepEqual(proxy.lines, Array(3).fill(`POST ${NOWHERE}/v1/embeddings`));
  assert.deepEqual(proxy.authorizations, Array(3).fill(basic('us@er:se:cret')));
});

test('a_proxy_without_a_user_is_told_of_none', async (t) => {
  const proxy = await serveProxy(t);
  await new PerformanceClient(NOWHERE, KEY, 1, null, proxy.url).embed(['a'], 'm');
  assert.deepEqual(proxy.authorizations, [undefined]);
});

test('HTTP_2_goes_through_a_tunnel', async (t) => {
  const server = await serveHttp2(t);
  const proxy = await serveProxy(t, server.url);
  const client = new PerformanceClient(NOWHERE, KEY, 2, null, proxy.with('user:secret'));
  await client.embed(texts(50), 'm', many);
  assert.equal(server.requests, 50);
  assert.equal(proxy.lines.length, server.sessions);
  assert.ok(proxy.lines.every((line) => line === 'CONNECT nowhere.test:81'), proxy.lines.join());
  assert.ok(proxy.authorizations.every((given) => given === basic('user:secret')));
});

test('https_asks_for_a_tunnel', async (t) => {
  const proxy = await serveProxy(t, mock.url);
  const client = new PerformanceClient('https://nowhere.test', { apiKey: KEY, proxy: proxy.with('user:secret') });
  await assert.rejects(client.embed(['a'], 'm', { maxRetries: 0 }));
  assert.deepEqual(proxy.lines, ['CONNECT nowhere.test:443']);
  assert.deepEqual(proxy.authorizations, [basic('user:secret')]);
});

test('a_wrapper_comes_before_what_stands_beside_it', async (t) => {
  const [one, other] = [await serveProxy(t), await serveProxy(t)];
  const wrapper = new HttpClientWrapper(1, one.url);
  const client = new PerformanceClient(NOWHERE, KEY, 2, wrapper, other.url);
  await client.embed(['a'], 'm');
  assert.equal(client.getClientWrapper(), wrapper);
  assert.deepEqual([one.lines.length, other.lines.length], [1, 0]);
});

test('a_client_has_connections_of_its_own_where_it_says_how_they_are_made', () => {
  const wrapperOf = (options) => new PerformanceClient(NOWHERE, options).getClientWrapper();
  const shared = wrapperOf({ apiKey: KEY });
  assert.equal(shared.httpVersion, 1);
  assert.equal(wrapperOf({ httpVersion: 1, proxy: null }), shared);
  const second = wrapperOf({ httpVersion: 2 });
  assert.equal(second.httpVersion, 2);
  assert.notEqual(wrapperOf({ httpVersion: 2 }), second);
  const proxied = wrapperOf({ proxy: 'proxy.test:3128' });
  assert.notEqual(proxied, shared);
  assert.equal(proxied.httpVersion, 1);
});

/** Runs code in a process with these variables: what it prints. */
async function printed(code, variables) {
  const args = ['--eval', `const h = require('hedgerow'); (async () => { ${code} })()`];
  const options = { cwd: `${__dirname}/..`, env: { ...process.env, ...variables }, timeout: 20_000 };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, options);
  assert.equal(stderr, '');
  return stdout.trim();
}

test('the_proxy_is_that_of_the_environment', async (t) => {
  const proxy = await serveProxy(t);
  const code = `
    for (const url of ['${NOWHERE}', '${mock.url}']) {
      await new h.PerformanceClient(url, 'k').embed(['a'], 'm');
      const clientWrapper = new h.HttpClientWrapper();
      await new h.PerformanceClient(url, { clientWrapper }).embed(['a'], 'm');
    }
    console.log('answered');`;
  const variables = { HTTP_PROXY: proxy.with('user:secret'), NO_PROXY: 'example.test,127.0.0.0/8' };
  assert.equal(await printed(code, variables), 'answered');
  assert.deepEqual(proxy.lines, Array(2).fill(`POST ${NOWHERE}/v1/embeddings`));
  assert.deepEqual(proxy.authorizations, Array(2).fill(basic('user:secret')));
  assert.equal((await mock.stats()).requests, 2);
});

test('a_variable_that_is_no_proxy_is_named_and_not_shown', async () => {
  const code = `
    const show = (error) => console.log(error.name, error.field, error.message);
    await new h.PerformanceClient('${NOWHERE}', 'k').embed(['a'], 'm').catch(show);
    // It is for https alone.
    await new h.PerformanceClient('${mock.url}', 'k').embed(['a'], 'm');`;
  const output = await printed(code, {
    http_proxy: 'socks5://user:secret@h',
    https_proxy: 'socks5://user:secret@h',
    no_proxy: '127.0.0.0/8',
  });
  const line = 'ArgumentError http_proxy http_proxy is of an unknown scheme; http://[user:password@]host:port is expected, or https';
  assert.ok(output.startsWith(line) && !output.includes('\n'), output);
  assert.ok(!output.includes('secret'), output);
});
