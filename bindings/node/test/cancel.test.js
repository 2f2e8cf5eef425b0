'use strict';
// AbortSignal, beside the token.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { CancelledError, PerformanceClient } = require('..');
const { useMock } = require('./support/mock');
const { KEY, late, texts } = require('./support/texts');

const mock = useMock();
const client = () => new PerformanceClient(mock.url, KEY);

test('a_signal_closes_the_sockets_of_its_calls', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const own = client();
  const options = { signal, batchSize: 1, extraHeaders: late(30_000) };
  const calls = [
    own.embed(texts(5), 'm', options),
    own.rerank('q', texts(5), options),
    own.batchPost('/echo', [1, 2], options),
  ];
  const rejections = calls.map((call) =>
    assert.rejects(call, (error) => {
      assert.ok(error instanceof CancelledError);
      assert.equal(error.name, 'AbortError');
      assert.equal(error.code, 'ABORT_ERR');
      assert.equal(error.cause, signal.reason);
      assert.match(error.message, /cancelled/);
      return true;
    }),
  );
  await mock.until((stats) => stats.in_flight === 12, '12 requests in flight');
  const reason = new Error('enough');
  const began = performance.now();
  controller.abort(reason);
  const stats = await mock.until((stats) => stats.in_flight === 0, 'the end of the requests');
  assert.ok(performance.now() - began < 3000);
  assert.equal(stats.aborted, 12);
  await Promise.all(rejections);
});

test('an_aborted_call_carries_what_had_finished', async () => {
  const controller = new AbortController();
  await mock.rules({ path: '/v1', body_contains: 'text 3', faults: 'hang' });
  const call = client().embed(texts(4), 'm', { signal: controller.signal, batchSize: 1 });
  await mock.until((stats) => stats.answered === 3, '3 answers');
  // They are on their way; a busy machine may take its time.
  setTimeout(() => controller.abort(), 1000);
  const error = await call.then(assert.fail, (error) => error);
  assert.deepEqual(error.partial.data.map((item) => item.index), [0, 1, 2]);
});

test('a_signal_that_was_aborted_rejects_before_anything_is_sent', async () => {
  const signal = AbortSignal.abort(new Error('before'));
  for (const call of [
    () => client().embed(['a'], 'm', { signal }),
    () => client().rerank('q', ['a'], { signal }),
    () => client().classify(['a'], { signal }),
    () => client().batchPost('/echo', [1], { signal }),
    () => client().embedIter(['a'], 'm', { signal }).next(),
  ]) {
    const error = await call().then(assert.fail, (error) => error);
    assert.ok(error instanceof CancelledError && error.cause === signal.reason);
    assert.deepEqual([error.partial.data.length, error.errors, error.kind], [0, [], 'cancelled']);
  }
  assert.equal((await mock.stats()).requests, 0);
});

test('a_signal_ends_a_call_whose_inputs_are_still_being_taken', async () => {
  const controller = new AbortController();
  const call = client().embed(texts(2_000_000), 'm', { signal: controller.signal });
  setImmediate(() => controller.abort());
  const error = await call.then(assert.fail, (error) => error);
  assert.ok(error instanceof CancelledError);
  assert.deepEqual(error.partial.shape, [0, 0]);
  assert.equal((await mock.stats()).requests, 0);
});

test('a_signal_may_time_out', async () => {
  const signal = AbortSignal.timeout(50);
  const call = client().embed(['a'], 'm', { signal, extraHeaders: late(30_000) });
  await assert.rejects(call, (error) => error.cause.name === 'TimeoutError');
});

test('many_calls_with_one_signal_leave_no_listeners', async () => {
  const warnings = [];
  const warn = (warning) => warnings.push(warning);
  process.on('warning', warn);
  const { signal } = new AbortController();
  await Promise.all(texts(100).map((text) => client().embed([text], 'm', { signal })));
  await new Promise(setImmediate);
  process.off('warning', warn);
  assert.deepEqual(warnings, []);
  const { getEventListeners } = require('node:events');
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});
