'use strict';
// Long jobs: bounded memory, order, errors, and what becomes of a loop that is left.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { CancelledError, HTTPError, PerformanceClient, TimeoutError } = require('..');
const native = require('../lib/native');
const { useMock } = require('./support/mock');
const { KEY, faulty, late, texts } = require('./support/texts');

const mock = useMock();
const client = () => new PerformanceClient(mock.url, KEY);

async function all(batches) {
  const found = [];
  for await (const batch of batches) {
    found.push(batch);
  }
  return found;
}

async function* later(inputs) {
  for (const input of inputs) {
    await new Promise(setImmediate);
    yield input;
  }
}

for (const [kind, made] of [
  ['an array', (inputs) => inputs],
  ['a generator', (inputs) => inputs.values()],
  ['an asynchronous generator', later],
]) {
  test(`batches_of_${kind}_cover_every_input_once`, async () => {
    const inputs = texts(1000);
    const options = { batchSize: 64, maxConcurrentRequests: 4, inOrder: true };
    const batches = await all(client().embedIter(made(inputs), 'm', options));
    assert.deepEqual(batches.map((batch) => batch.start), [...Array(16).keys()].map((at) => at * 64));
    assert.equal(batches.at(-1).end, 1000);
    const whole = (await client().embed(inputs, 'm')).float32();
    for (const batch of batches) {
      assert.deepEqual(batch.float32(), whole.subarray(batch.start * 8, batch.end * 8));
      assert.equal(batch.data[0].index, batch.start);
    }
  });
}

test('batches_come_as_they_finish', async () => {
  await mock.rules({ path: '/v1', body_contains: '"text 0"', faults: 'delay=1500' });
  const batches = await all(client().embedIter(texts(30), 'm', { batchSize: 10 }));
  assert.deepEqual(batches.map((batch) => batch.start).sort((a, b) => a - b), [0, 10, 20]);
  assert.equal(batches.at(-1).start, 0);
});

test('inputs_are_taken_only_as_fast_as_batches_are', async () => {
  let taken = 0;
  function* endless() {
    for (;;) {
      yield `text ${taken++}`;
    }
  }
  const batches = client().embedIter(endless(), 'm', { batchSize: 10, maxConcurrentRequests: 3 });
  for (let turn = 0; turn < 20; turn++) {
    await batches.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  // 20 batches were taken, 3 may be in flight, one is being filled, one is fed.
  assert.ok(taken <= 250, `${taken} inputs`);
  await batches.return();
});

test('leaving_the_loop_aborts_what_is_in_flight', async () => {
  let closed = false;
  function* inputs() {
    try {
      yield* texts(1000);
    } finally {
      closed = true;
    }
  }
  await mock.rules({ path: '/v1', after: 1, faults: 'hang' });
  for await (const batch of client().embedIter(inputs(), 'm', { batchSize: 1, maxConcurrentRequests: 8 })) {
    assert.equal(batch.shape[0], 1);
    break;
  }
  assert.ok(closed);
  await mock.until((stats) => stats.in_flight === 0, 'the end of the requests');
});

test('a_batch_is_given_while_inputs_are_waited_for', async () => {
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  async function* inputs() {
    yield* ['a', 'b', 'c'];
    await held;
    yield 'd';
  }
  const batches = client().embedIter(inputs(), 'm', { batchSize: 2 });
  assert.equal((await batches.next()).value.end, 2);
  release();
  assert.equal((await batches.next()).value.end, 4);
  assert.equal((await batches.next()).done, true);
});

test('a_batch_is_cut_by_its_length_without_waiting_for_more', async () => {
  let release;
  const held = new Promise((resolve) => {
    release = resolve;
  });
  async function* inputs() {
    yield 'a'.repeat(40);
    yield 'b'.repeat(40);
    await held;
  }
  const batches = client().embedIter(inputs(), 'm', { maxCharsPerRequest: 50 });
  assert.equal((await batches.next()).value.end, 1);
  release();
  assert.equal((await all(batches)).length, 1);
});

test('the_first_error_ends_the_job', async () => {
  await mock.rules({ path: '/v1', body_contains: '"text 25"', faults: 'status=403' });
  const batches = client().embedIter(texts(100), 'm', { batchSize: 10, inOrder: true, maxConcurrentRequests: 2 });
  const seen = [];
  await assert.rejects(async () => {
    for await (const batch of batches) {
      seen.push(batch.start);
    }
  }, HTTPError);
  assert.deepEqual(seen, [0, 10]);
});

test('failures_are_in_the_batches_where_they_are_to_be_returned', async () => {
  await mock.rules({ path: '/v1', body_contains: '"text 25"', faults: 'status=403' });
  const options = { batchSize: 10, inOrder: true, onError: 'return' };
  const batches = await all(client().embedIter(texts(100), 'm', options));
  assert.equal(batches.length, 10);
  const failed = batches.flatMap((batch) => batch.errors);
  assert.deepEqual(failed.map(({ start, end }) => [start, end]), [[20, 30]]);
  assert.equal(batches[2].data.length, 0);
});

test('what_the_inputs_throw_comes_after_the_batches_before_it', async () => {
  for (const made of [(inputs) => inputs, later]) {
    const thrown = new Error('no more');
    const inputs = function* () {
      yield* texts(25);
      throw thrown;
    };
    const seen = [];
    await assert.rejects(async () => {
      for await (const batch of client().embedIter(made(inputs()), 'm', { batchSize: 10, inOrder: true })) {
        seen.push(batch.end);
      }
    }, thrown);
    assert.deepEqual(seen, [10, 20, 25]);
  }
});

test('texts_that_cannot_be_handed_over_end_the_job', async (t) => {
  const refused = new Error('no room');
  const push = native.Texts.prototype.push;
  let chunks = 0;
  t.mock.method(native.Texts.prototype, 'push', function (...texts) {
    if (++chunks > 2) {
      throw refused;
    }
    return push.apply(this, texts);
  });
  for (const made of [(inputs) => inputs, later]) {
    chunks = 0;
    let closed = false;
    const inputs = function* () {
      try {
        yield* made === later ? texts(3) : texts(500);
      } finally {
        closed = true;
      }
    };
    const seen = [];
    await assert.rejects(async () => {
      for await (const batch of client().embedIter(made(inputs()), 'm', { batchSize: 1, inOrder: true })) {
        seen.push(batch.end);
      }
    }, refused);
    assert.deepEqual(seen, [1, 2]);
    assert.ok(closed);
  }
});

test('an_input_that_is_no_string_is_refused_by_its_number', async () => {
  const batches = client().embedIter(['a', 'b', 3], 'm');
  await assert.rejects(all(batches), /inputs\[2\] must be a string, not a number/);
});

test('a_signal_ends_a_job', async () => {
  const controller = new AbortController();
  const options = { signal: controller.signal, batchSize: 1, extraHeaders: late(30_000) };
  const job = all(client().embedIter(texts(20), 'm', options));
  await mock.until((stats) => stats.in_flight === 20, '20 requests');
  controller.abort();
  await assert.rejects(job, (error) => {
    assert.ok(error instanceof CancelledError);
    assert.deepEqual([error.partial.data.length, error.errors], [0, []]);
    return true;
  });
  await mock.until((stats) => stats.in_flight === 0, 'the end of the requests');
});

test('a_signal_ends_a_job_that_waits_for_inputs', async () => {
  const controller = new AbortController();
  async function* never() {
    yield 'a';
    await new Promise(() => {});
  }
  const job = all(client().embedIter(never(), 'm', { signal: controller.signal }));
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(job, CancelledError);
});

test('the_total_timeout_is_that_of_the_whole_job', async () => {
  const options = { totalTimeoutS: 0.3, batchSize: 1, maxConcurrentRequests: 1, extraHeaders: late(100) };
  await assert.rejects(all(client().embedIter(texts(20), 'm', options)), TimeoutError);
});

test('progress_counts_the_batches', async () => {
  const told = [];
  const onProgress = (progress) => told.push([progress.done, progress.total]);
  await all(client().embedIter(texts(25), 'm', { batchSize: 10, inOrder: true, onProgress }));
  assert.deepEqual(told, [[10, 25], [20, 25], [25, 25]]);
});

test('faults_along_a_job_are_overcome', async () => {
  const options = { batchSize: 5, initialBackoffMs: 50, extraHeaders: faulty('') };
  await mock.rules({ path: '/v1', share: 0.2, times: 20, faults: 'cut_body' });
  const batches = await all(client().embedIter(texts(300), 'm', options));
  assert.equal(batches.reduce((sum, batch) => sum + batch.shape[0], 0), 300);
});
