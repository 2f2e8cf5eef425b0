'use strict';
// Errors are classes that say what happened, and show no key.

const assert = require('node:assert/strict');
const { inspect } = require('node:util');
const { test } = require('node:test');
const hedgerow = require('..');
const { PerformanceClient } = hedgerow;
const { useMock } = require('./support/mock');
const { errorOf } = require('../lib/errors');
const { KEY, faulty, texts } = require('./support/texts');

const mock = useMock();
const client = () => new PerformanceClient(mock.url, KEY);
const failure = (call) => call.then(() => assert.fail('it succeeded'), (error) => error);

test('a_status_is_an_HTTPError', async () => {
  await mock.rules({ faults: 'status=403;body=go away,header=x-why:because' });
  const error = await failure(client().embed(['a'], 'm'));
  assert.ok(error instanceof hedgerow.HTTPError);
  assert.ok(error instanceof hedgerow.HedgerowError && error instanceof Error);
  assert.equal(error.name, 'HTTPError');
  assert.equal(error.status, 403);
  assert.equal(error.body, 'go away');
  assert.equal(error.headers['x-why'], 'because');
  assert.match(error.requestId, /^perfclient-/);
  assert.match(error.message, /403 Forbidden: go away\. Request ID: perfclient-/);
});

test('a_timeout_is_a_TimeoutError', async () => {
  const preference = { timeoutS: 0.2, maxRetries: 0, extraHeaders: faulty('hang') };
  const error = await failure(client().embed(['a'], 'm', preference));
  assert.ok(error instanceof hedgerow.TimeoutError);
  assert.match(error.message, /local timeout: a request \(timeout_s\) took longer than 0\.2 s/);
});

test('a_dead_host_is_a_ConnectError_soon', async () => {
  const began = performance.now();
  const error = await failure(new PerformanceClient('http://127.0.0.1:9', KEY).embed(texts(500), 'm', { batchSize: 1 }));
  assert.ok(error instanceof hedgerow.ConnectError, inspect(error));
  assert.match(error.message, /\(Connect\)/);
  // 3 s, and what a busy machine takes for the rest.
  assert.ok(performance.now() - began < 10_000);
});

test('a_broken_connection_is_a_NetworkError', async () => {
  const preference = { maxRetries: 0, extraHeaders: faulty('reset') };
  const error = await failure(client().embed(['a'], 'm', preference));
  assert.ok(error instanceof hedgerow.NetworkError, inspect(error));
});

test('an_answer_of_another_shape_is_an_AnswerError', async () => {
  const preference = { extraHeaders: faulty('status=200;body={"no":1}') };
  const error = await failure(client().embed(['a'], 'm', preference));
  assert.ok(error instanceof hedgerow.AnswerError, inspect(error));
});

test('each_kind_of_failure_has_a_class', () => {
  for (const [kind, name] of [
    ['closed', 'HedgerowError'],
    ['overloaded', 'HedgerowError'],
    ['inside_runtime', 'HedgerowError'],
    ['internal', 'HedgerowError'],
    ['network', 'NetworkError'],
    ['cancelled', 'AbortError'],
    ['config', 'ArgumentError'],
  ]) {
    const error = errorOf({ kind, message: 'why', causes: [] });
    assert.deepEqual([error.name, error.kind, error.message], [name, kind, 'why']);
    assert.ok(!inspect(error).includes('kind'));
  }
});

test('a_failure_of_each_call_has_a_partial', async () => {
  await mock.rules({ path: '/', faults: 'status=403' });
  const own = client();
  for (const call of [own.embed(['a'], 'm'), own.rerank('q', ['a']), own.classify(['a']), own.batchPost('/x', [1])]) {
    const { partial, kind } = await failure(call);
    assert.equal(kind, 'status');
    assert.equal(partial.errors.length, 1);
  }
});

test('the_stack_of_an_error_leads_to_the_call', async () => {
  async function whoAsks() {
    await client().embed(['a'], 'm', { extraHeaders: faulty('status=404') });
  }
  const error = await failure(whoAsks());
  assert.match(error.stack, /whoAsks/);
});

test('nothing_shows_a_key', async () => {
  const echoed = `status=401;body=bad key ${KEY},header=x-echo:${KEY}`;
  const preference = new hedgerow.RequestProcessingPreference({
    primaryApiKeyOverride: KEY,
    extraHeaders: { 'x-api-key': KEY, ...faulty(echoed) },
    maxRetries: 0,
  });
  const own = client();
  const error = await failure(own.embed(['a'], 'm', preference));
  assert.equal(error.status, 401);
  assert.equal(error.headers['x-echo'], '***');
  const query = await failure(own.batchPost(`/x?code=${KEY}`, [1], { extraHeaders: faulty(`status=404;body=no ${KEY}`) }));
  const wrong = await failure(own.embed(['a'], 'm', { extraHeaders: { 'x-api-key': [KEY] } }));
  const bad = await failure((async () => new PerformanceClient(mock.url, `${KEY}\n`))());
  const password = await failure((async () => new PerformanceClient(`http://u:${KEY}@h`, 'k'))());
  const deep = { depth: 10, showHidden: true };
  for (const thing of [own, preference, error, query, wrong, bad, password, own.getClientWrapper()]) {
    for (const shown of [inspect(thing, deep), String(thing), JSON.stringify(thing), thing.stack ?? '']) {
      assert.ok(!shown?.includes(KEY), shown);
    }
  }
  assert.match(inspect(preference), /\*\*\*/);
  assert.match(inspect(own), /PerformanceClient \{ baseUrl/);
});

test('nothing_shows_the_password_of_a_proxy', async () => {
  const encoded = Buffer.from(`user:${KEY}`).toString('base64');
  const make = (url) => (async () => new hedgerow.HttpClientWrapper(1, url))();
  const refused = [
    await failure(make(`socks5://user:${KEY}@h`)),
    await failure(make(`http://user:${KEY}@`)),
    await failure(make(`http://user:${KEY}@h:99999`)),
  ];
  // The mock stands where a proxy does, and refuses; at the other port nobody is.
  await mock.rules({ faults: 'status=407;body=who are you' });
  const proxy = mock.url.replace('http://', `http://user:${KEY}@`);
  const wrapper = await make(proxy);
  const own = new PerformanceClient('http://nowhere.test', { apiKey: 'k', proxy });
  const unauthorized = await failure(own.embed(['a'], 'm', { maxRetries: 0 }));
  const tunnel = new PerformanceClient('https://nowhere.test', { apiKey: 'k', proxy });
  const untunnelled = await failure(tunnel.embed(['a'], 'm', { maxRetries: 0 }));
  const dead = new PerformanceClient('http://nowhere.test', { proxy: `http://user:${KEY}@127.0.0.1:9` });
  const unreached = await failure(dead.embed(['a'], 'm', { maxRetries: 0 }));
  assert.equal(unauthorized.status, 407);
  assert.ok(unreached instanceof hedgerow.ConnectError, inspect(unreached));
  const things = [...refused, wrapper, own, own.getClientWrapper(), unauthorized, untunnelled, unreached];
  for (const thing of things) {
    const shown = [inspect(thing, { depth: 10, showHidden: true }), String(thing), JSON.stringify(thing), thing.stack ?? ''];
    for (const text of shown) {
      assert.ok(!text.includes(KEY) && !text.includes(encoded), text);
    }
  }
  assert.equal(inspect(wrapper), "HttpClientWrapper { httpVersion: 1, proxy: '***' }");
  assert.equal(inspect(new hedgerow.HttpClientWrapper(2)), 'HttpClientWrapper { httpVersion: 2 }');
});

test('statuses_that_are_final_by_choice_are_not_tried_again', async () => {
  const preference = { nonRetryableStatusCodes: [503], extraHeaders: faulty('status=503') };
  const error = await failure(client().embed(['a'], 'm', preference));
  assert.equal(error.status, 503);
  assert.equal((await mock.stats()).requests, 1);
});
