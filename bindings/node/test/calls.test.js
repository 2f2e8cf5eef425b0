'use strict';
// The four calls: their arguments in every shape, and what they give.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const hedgerow = require('..');
const { PerformanceClient, RequestProcessingPreference } = hedgerow;
const native = require('../lib/native');
const { useMock } = require('./support/mock');
const { KEY, faulty, texts } = require('./support/texts');

const mock = useMock();
const client = (...rest) => new PerformanceClient(mock.url, KEY, ...rest);

test('embed_gives_rows_in_input_order_whatever_the_batches', async () => {
  const one = await client().embed(texts(10), 'm');
  const many = await client().embed(texts(10), 'm', null, null, null, { batchSize: 3 });
  assert.deepEqual(one.shape, [10, 8]);
  assert.deepEqual(one.float32(), many.float32());
  assert.equal((await mock.stats()).per_path['/v1/embeddings'], 5);
  assert.deepEqual(many.data.map((item) => item.index), [...Array(10).keys()]);
  assert.equal(many.individual_request_times.length, 4);
  assert.equal(many.individual_batch_request_times, many.individual_request_times);
  assert.equal(many.response_headers.length, 4);
  assert.equal(many.response_headers[3]['content-type'], 'application/json');
  assert.ok(many.total_time > 0);
  assert.equal(many.model, 'm');
  assert.equal(many.object, 'list');
  assert.equal(many.usage.total_tokens, one.usage.total_tokens);
  assert.deepEqual(many.errors, []);
});

test('float32_is_one_memory_that_rows_and_items_look_at', async () => {
  const response = await client().embed(texts(5), 'm', { dimensions: 16 });
  const matrix = response.float32();
  assert.ok(matrix instanceof Float32Array);
  assert.equal(matrix.length, 80);
  assert.equal(response.float32(), matrix);
  assert.equal(response.row(2).buffer, matrix.buffer);
  assert.equal(response.data[2].float32().byteOffset, 2 * 16 * 4);
  assert.deepEqual(response.data[2].embedding, Array.from(matrix.subarray(32, 48)));
  assert.throws(() => response.row(5), RangeError);
});

test('an_array_that_was_taken_outlives_its_response', async () => {
  let matrix = (await client().embed(texts(2000), 'm', { dimensions: 64 })).float32();
  const copy = Float32Array.from(matrix);
  for (let round = 0; round < 20; round++) {
    await client().embed(texts(500), 'm', { dimensions: 64 });
    globalThis.gc?.();
  }
  assert.deepEqual(matrix, copy);
});

test('v8_knows_what_a_matrix_holds_before_anyone_has_looked_at_it', async () => {
  const held = () => new native.EmbeddingsAnswer().weigh();
  const size = 2048 * 1024 * 4;
  async function use() {
    const before = held();
    const response = await client().embed(texts(2048), 'm', { dimensions: 1024 });
    const unseen = held() - before;
    assert.ok(unseen >= size && unseen < 1.5 * size, `${unseen}`);
    response.float32();
    const seen = held() - before;
    assert.ok(seen >= size && seen < 1.5 * size, `${seen}`);
    return before;
  }
  await client().embed(['a'], 'm');
  const before = await use();
  // V8 sweeps beside: it may be some collections later that it knows.
  for (let turn = 0; turn < 500 && held() - before >= size / 2; turn++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(held() - before < size / 2, `${held() - before}`);
});

test('the_arguments_of_embed_come_by_position_or_by_name', async () => {
  const preference = new RequestProcessingPreference({ batchSize: 2 });
  const calls = [
    [null, 4, 'user', preference],
    ['float', 4, undefined, { batchSize: 2 }],
    [{ dimensions: 4, user: 'user', preference }],
    [{ dimensions: 4, batchSize: 2, preference: { batchSize: 1000 } }],
    ['base64', 4, null, 128, 2, 30],
  ];
  for (const rest of calls) {
    await mock.reset();
    const response = await client().embed(texts(4), 'm', ...rest);
    assert.deepEqual(response.shape, [4, 4]);
    assert.equal((await mock.stats()).requests, 2);
  }
});

test('rerank_gives_scores_and_sorted', async () => {
  const response = await client().rerank('q', texts(300), false, 'm', true, true, 'Left', { batchSize: 7 });
  assert.equal(response.data.length, 300);
  assert.deepEqual(response.data.map((item) => item.index), [...Array(300).keys()]);
  assert.equal(response.data[299].text, 'text 299');
  const scores = response.sorted().map((item) => item.score);
  assert.deepEqual(scores, [...scores].sort((a, b) => b - a));
  assert.equal(response.data.length, 300);
});

test('a_text_that_was_not_asked_for_is_null', async () => {
  const response = await client().rerank('q', texts(2));
  assert.equal(response.data[1].text, null);
});

test('the_arguments_of_rerank_and_classify_come_in_the_old_order_too', async () => {
  const numbers = [4, 2, 30];
  assert.equal((await client().rerank('q', texts(4), false, true, false, 'Right', ...numbers)).data[0].text, 'text 0');
  assert.equal((await mock.stats()).requests, 2);
  await client().classify(texts(4), false, false, 'Right', ...numbers);
  assert.equal((await mock.stats()).requests, 4);
  await client().classify(texts(4), 'm', false, true, 'Left', { batchSize: 1 });
  await client().classify(texts(4), { truncate: true, batchSize: 4 });
  assert.equal((await mock.stats()).requests, 9);
});

test('classify_gives_a_list_of_labels_an_input', async () => {
  const response = await client().classify(texts(200), { batchSize: 9 });
  assert.equal(response.data.length, 200);
  for (const classes of response.data) {
    assert.deepEqual(classes.map((it) => it.label).sort(), ['negative', 'positive']);
    assert.equal(typeof classes[0].score, 'number');
  }
});

test('the_further_arguments_of_batchPost_are_told_apart_by_their_kind', async () => {
  const preference = new RequestProcessingPreference({ extraHeaders: { 'x-pref': '1' } });
  const plain = { extraHeaders: { 'x-pref': '1' }, batchSize: 3 };
  const headers = { 'x-own': '2' };
  const calls = [
    [preference, headers, 'PUT'],
    [headers, preference, 'PUT'],
    [headers, undefined, 'PUT', plain],
    [undefined, null, 'PUT', headers, preference],
    ['PUT', plain, headers],
    [{ ...plain, method: 'PUT', customHeaders: headers }],
    [{ preference, method: 'PUT', customHeaders: headers }],
  ];
  for (const rest of calls) {
    const [answer] = (await client().batchPost('/echo', [{ a: 1 }], ...rest)).data;
    assert.equal(answer.method, 'PUT');
    assert.equal(answer.headers['x-pref'], '1');
    assert.equal(answer.headers['x-own'], '2');
    assert.deepEqual(answer.body, { a: 1 });
  }
  const older = await client().batchPost('/echo', [1, 2], 1, 30);
  assert.equal(older.data.length, 2);
  assert.equal((await mock.stats()).peak_in_flight, 1);
});

test('custom_headers_replace_others_whatever_their_case', async () => {
  const preference = { extraHeaders: { 'X-A': 'extra', Authorization: 'Bearer other' } };
  const response = await client().batchPost('/echo', [1], preference, { 'x-a': 'custom' });
  assert.equal(response.data[0].headers['x-a'], 'custom');
  assert.equal(response.data[0].headers.authorization, 'Bearer other');
});

test('payloads_may_be_anything_that_json_holds_and_bytes', async () => {
  const payloads = [{ a: 'é\u{1F33F}' }, 'text', null, 1.5, [true], { toJSON: () => 7 }, Buffer.from('{"b":2}')];
  const response = await client().batchPost('/echo', payloads);
  const bodies = response.data.map((answer) => answer.body);
  assert.deepEqual(bodies, [{ a: 'é\u{1F33F}' }, 'text', null, 1.5, [true], 7, { b: 2 }]);
});

test('methods_without_a_body_answer_an_empty_object', async () => {
  for (const method of ['DELETE', 'HEAD', 'OPTIONS']) {
    const response = await client().batchPost('/echo', [{}], method);
    assert.deepEqual(response.data[0], {});
  }
  const got = await client().batchPost('/echo', [{}], 'GET');
  assert.equal(got.data[0].method, 'GET');
});

test('message_pack_becomes_objects_and_bin_a_buffer', async () => {
  const accept = { extraHeaders: { accept: 'application/x-msgpack', 'content-type': 'application/octet-stream' } };
  const bytes = Buffer.from([0xff, 0xfe, 0x00]);
  const value = { a: [1, -2, 2.5, 1e300, 'é', null, true, { long: 'x'.repeat(300) }], big: 4294967296 };
  const response = await client().batchPost('/echo', [value, bytes], accept);
  assert.deepEqual(response.data[0].body, value);
  assert.deepEqual(response.data[1].body, bytes);
  assert.ok(Buffer.isBuffer(response.content(0)));
});

test('compressed_answers_are_read', async () => {
  for (const encoding of ['zstd', 'gzip', 'br', 'deflate']) {
    const preference = { extraHeaders: faulty(`encoding=${encoding}`) };
    assert.deepEqual((await client().embed(texts(3), 'm', preference)).shape, [3, 8]);
  }
});

test('texts_of_every_kind_arrive_as_they_are', async () => {
  // Lone surrogates, halves that joining would bring together, and the empty text.
  const odd = ['\ud83c', '\udf3f', '', 'é', '\u{1F33F}', 'a\u0000b', '\ud83cx', '"\\\n', '\udf3f\ud83c', '\udf3f'];
  const lines = odd.map((text) => JSON.stringify(text.toWellFormed?.() ?? Buffer.from(text).toString()));
  const together = await client().embed(odd, 'm');
  for (let at = 0; at < odd.length; at++) {
    const alone = await client().embed([JSON.parse(lines[at])], 'm');
    assert.deepEqual(together.row(at), alone.row(0), lines[at]);
  }
});

test('a_list_of_many_slices_keeps_its_order', async () => {
  const many = texts(20_000).map((text, at) => (at % 7 ? text : `é ${text}`));
  const response = await client().embed(many, 'm', { batchSize: 1024, dimensions: 2 });
  for (const at of [0, 1, 1023, 1024, 7007, 19_999]) {
    const alone = await client().embed([many[at]], 'm', { dimensions: 2 });
    assert.deepEqual(response.row(at), alone.row(0));
  }
});

test('the_key_comes_from_the_environment_where_none_is_given', async () => {
  const before = { ...process.env };
  try {
    process.env.OPENAI_API_KEY = 'sk-openai';
    delete process.env.BASETEN_API_KEY;
    await new PerformanceClient(mock.url).embed(['a'], 'm');
    process.env.BASETEN_API_KEY = 'sk-baseten';
    const other = new PerformanceClient(mock.url, undefined);
    assert.equal(other.apiKey, 'sk-baseten');
    await other.embed(['a'], 'm');
  } finally {
    process.env = before;
  }
  assert.deepEqual((await mock.stats()).per_key, { 'sk-openai': 1, 'sk-baseten': 1 });
});

test('clients_share_the_connections_of_a_wrapper', async () => {
  const wrapper = new hedgerow.HttpClientWrapper(1);
  const one = client(1, wrapper);
  const other = new PerformanceClient(`${mock.url}/v1/`, { clientWrapper: wrapper, apiKey: KEY });
  const before = (await mock.stats()).connections_total;
  await one.embed(['a'], 'm');
  await other.embed(['a'], 'm');
  const opened = (await mock.stats()).connections_total - before;
  assert.ok(opened <= 2, `${opened} connections`);
  assert.equal(one.getClientWrapper(), wrapper);
  assert.equal(client().getClientWrapper(), client().getClientWrapper());
  assert.equal(other.baseUrl, `${mock.url}/v1/`);
  assert.deepEqual((await mock.stats()).per_path, { '/v1/embeddings': 2 });
});

test('a_wrapper_bounds_what_is_read', async () => {
  const limits = { maxResponseBytes: 100, maxBufferedBytes: 2 ** 20 };
  const wrapper = new hedgerow.HttpClientWrapper(1, null, limits);
  await assert.rejects(client(1, wrapper).embed(texts(100), 'm'), (error) => {
    assert.ok(error instanceof hedgerow.AnswerError, error);
    return error.message.includes('limit of 100 bytes');
  });
});

test('progress_is_told', async () => {
  const told = [];
  const onProgress = (progress) => told.push(progress);
  await client().embed(texts(64), 'm', { batchSize: 1, onProgress });
  const last = told.at(-1);
  assert.equal(last.done, 64);
  assert.equal(last.total, 64);
  assert.ok(last.elapsed > 0 && last.rate > 0);
});

test('what_a_progress_function_throws_ends_the_call', async () => {
  const thrown = new Error('enough');
  const onProgress = () => {
    throw thrown;
  };
  await assert.rejects(client().embed(texts(64), 'm', { batchSize: 1, onProgress }), thrown);
  await mock.until((stats) => stats.in_flight === 0, 'the end of the requests');
});

test('import_and_require_give_the_same_classes', async () => {
  const imported = await import('../index.mjs');
  for (const name of Object.keys(hedgerow)) {
    assert.equal(imported[name], hedgerow[name], name);
  }
  assert.equal(imported.default, hedgerow);
  assert.equal(hedgerow.version, require('../package.json').version);
});
