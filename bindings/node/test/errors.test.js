'use strict';
// Errors are classes that say what happened, and show no key.

const assert = require('node:assert/strict');
const { inspect } = require('node:util');
const { test } = require('node:test');
const hedgerow = require('..');
const { PerformanceClient } = hedgerow;
const { useMock } = require('./support/mock');
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

test('a_dead_host_is_a_ConnectError_within_five_seconds', async () => {
  const began = performance.now();
  const error = await failure(new PerformanceClient('http://127.0.0.1:9', KEY).embed(texts(500), 'm', { batchSize: 1 }));
  assert.ok(error instanceof hedgerow.ConnectError, inspect(error));
  assert.match(error.message, /\(Connect\)/);
  assert.ok(performance.now() - began < 5000);
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
  const wrong = await failure(own.embed(['a'], 'm', { extraHeaders: { 'x-api-key': [KEY] } }));
  const bad = await failure((async () => new PerformanceClient(mock.url, `${KEY}\n`))());
  const password = await failure((async () => new PerformanceClient(`http://u:${KEY}@h`, 'k'))());
  const proxy = await failure((async () => new PerformanceClient(mock.url, KEY, 1, null, `http://${KEY}`))());
  const deep = { depth: 10, showHidden: false };
  for (const thing of [own, preference, error, wrong, bad, password, proxy, own.getClientWrapper()]) {
    for (const shown of [inspect(thing, deep), String(thing), JSON.stringify(thing), thing.stack ?? '']) {
      assert.ok(!shown?.includes(KEY), shown);
    }
  }
  assert.match(inspect(preference), /\*\*\*/);
  assert.match(inspect(own), /PerformanceClient \{ baseUrl/);
});

test('statuses_that_are_final_by_choice_are_not_tried_again', async () => {
  const preference = { nonRetryableStatusCodes: [503], extraHeaders: faulty('status=503') };
  const error = await failure(client().embed(['a'], 'm', preference));
  assert.equal(error.status, 503);
  assert.equal((await mock.stats()).requests, 1);
});
