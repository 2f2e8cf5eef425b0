'use strict';
// Requests that are too large for a server, and inputs that it refuses.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { PerformanceClient } = require('..');
const { useMock } = require('./support/mock');
const { KEY, texts } = require('./support/texts');

const mock = useMock();
const client = () => new PerformanceClient(mock.url, KEY);
const returning = { onError: 'return' };

/** Sets the server's limits for as long as `use` runs. */
async function limited(limits, use) {
  const set = (body) => fetch(`${mock.url}/mock/limits`, { method: 'POST', body: JSON.stringify(body) });
  assert.ok((await set(limits)).ok);
  try {
    await use();
  } finally {
    await set({});
  }
}

const requests = async () => (await mock.stats()).requests;
const ranges = (errors) => errors.map(({ start, end }) => [start, end]);

for (const faults of ['status=400', 'status=500;body=json: unsupported value: NaN']) {
  test(`one_bad_input_costs_its_row: ${faults}`, async () => {
    const inputs = [...texts(77), 'bad', ...texts(922)];
    await mock.rules({ path: '/', body_contains: '"bad"', faults });
    const response = await client().embed(inputs, 'm', returning);
    assert.deepEqual(ranges(response.errors), [[77, 78]]);
    assert.ok((await requests()) <= 8 + 15);
    assert.ok(Number.isNaN(response.row(77)[0]) && !Number.isNaN(response.row(78)[0]));
    const ranking = await client().rerank('query', inputs, returning);
    assert.deepEqual(ranges(ranking.errors), [[77, 78]]);
    const classes = await client().classify(inputs, returning);
    assert.deepEqual(ranges(classes.errors), [[77, 78]]);
  });
}

test('batches_are_left_whole_where_that_is_asked_for', async () => {
  const inputs = [...texts(5), 'bad', ...texts(5)];
  await mock.rules({ body_contains: '"bad"', faults: 'status=422' });
  const response = await client().embed(inputs, 'm', { ...returning, splitRefused: false });
  assert.deepEqual(ranges(response.errors), [[0, 11]]);
});

test('what_is_about_no_input_costs_a_logarithm', async () => {
  await mock.rules({ faults: 'status=400;body=no such thing' });
  const response = await client().embed(texts(128), 'm', returning);
  assert.deepEqual(ranges(response.errors), [[0, 128]]);
  assert.ok((await requests()) <= 1 + Math.log2(128));
});

test('bytes_and_tokens_bound_a_request', async () => {
  const inputs = Array(20).fill('word '.repeat(60));
  for (const setting of [{ maxBytesPerRequest: 1024 }, { maxTokensPerRequest: 700 }]) {
    await mock.reset();
    const response = await client().embed(inputs, 'm', setting);
    assert.equal(response.data.length, 20);
    const made = await requests();
    assert.ok(made >= 2 && made <= 10, `${made}`);
  }
});

// The last: the limit is remembered for as long as the process lives.
test('a_limit_on_inputs_is_found_once_and_kept_by_every_operation', async () => {
  const expected = (await client().embed(texts(100), 'm')).float32();
  await limited({ max_batch_items: 32, style: 'tei' }, async () => {
    await mock.reset();
    const one = client();
    assert.deepEqual((await one.embed(texts(100), 'm')).float32(), expected);
    assert.equal(await requests(), 1 + 4);
    assert.equal((await one.rerank('query', texts(100))).data.length, 100);
    assert.equal((await one.classify(texts(100))).data.length, 100);
    assert.equal(await requests(), 5 + 2 * (1 + 4));
    let rows = 0;
    for await (const batch of one.embedIter(texts(100), 'm')) {
      rows += batch.data.length;
    }
    assert.equal(rows, 100);
    assert.equal(await requests(), 15 + 4);
  });
});
