'use strict';
// Answers: the native half keeps them, and objects are made of them when they are looked at.

const { inspect } = require('node:util');
const { AnswerError, errorOf, headersOf } = require('./errors');
const { lazyArray } = require('./lazy');
const { unpack } = require('./msgpack');

/** Items that are made at once, where each is small. */
const BLOCK = 128;

/** What every answer says beside its data. */
class Response {
  #record;
  #offset;
  #times;
  #headers;
  #errors;

  constructor(record, offset = 0) {
    this.#record = record;
    this.#offset = offset;
  }

  get total_time() {
    return this.#record.totalTime;
  }

  get individual_request_times() {
    this.#times ??= Array.from(this.#record.times());
    return this.#times;
  }

  get individual_batch_request_times() {
    return this.individual_request_times;
  }

  get response_headers() {
    const requests = this.individual_request_times.length;
    const make = (request) => [headersOf(this.#record.headers(request))];
    this.#headers ??= lazyArray(requests, 1, make);
    return this.#headers;
  }

  get errors() {
    const shown = ({ start, end, failure }) => ({
      start: this.#offset + start,
      end: this.#offset + end,
      error: errorOf(failure),
    });
    const make = (from, to) => this.#record.errors(from, to).map(shown);
    this.#errors ??= lazyArray(this.#record.failed, BLOCK, make);
    return this.#errors;
  }

  toJSON() {
    const { total_time, individual_request_times, response_headers } = this;
    return { total_time, individual_request_times, response_headers };
  }

  /** Short, whatever the answer holds. */
  [inspect.custom](_depth, options) {
    const { total_time } = this;
    const requests = this.individual_request_times.length;
    const shown = { ...this.summary(), requests, failed: this.errors.length, total_time };
    return `${this.constructor.name} ${inspect(shown, options)}`;
  }
}

/** The answer to `embed`. */
class OpenAIEmbeddingsResponse extends Response {
  #native;
  #offset;
  #matrix;
  #data;
  #usage;

  constructor(answer, offset = 0) {
    super(answer.record(), offset);
    answer.weigh();
    this.#native = answer;
    this.#offset = offset;
  }

  get object() {
    return 'list';
  }

  get model() {
    return this.#native.model;
  }

  get usage() {
    this.#usage ??= {
      prompt_tokens: this.#native.promptTokens,
      total_tokens: this.#native.totalTokens,
    };
    return this.#usage;
  }

  /** Inputs and dimensions. */
  get shape() {
    return [this.#native.rows, this.#native.dimensions];
  }

  /** The matrix, row after row: the memory that the answers were decoded into. */
  float32() {
    this.#matrix ??= this.#native.matrix();
    return this.#matrix;
  }

  /** The embedding of one input: a view of the matrix. */
  row(input) {
    const [rows, dimensions] = this.shape;
    if (!Number.isInteger(input) || input < 0 || input >= rows) {
      throw new RangeError(`there is no row ${input} (there are ${rows})`);
    }
    return this.float32().subarray(input * dimensions, (input + 1) * dimensions);
  }

  /** An item for each input that succeeded. */
  get data() {
    if (!this.#data) {
      const succeeded = this.#native.succeeded();
      const rows = succeeded ? succeeded.length : this.#native.rows;
      const data = new Array(rows);
      for (let at = 0; at < rows; at++) {
        data[at] = new OpenAIEmbeddingData(this, succeeded ? succeeded[at] : at, this.#offset);
      }
      this.#data = data;
    }
    return this.#data;
  }

  summary() {
    return { model: this.model, shape: this.shape, usage: this.usage };
  }

  toJSON() {
    const { object, data, model, usage } = this;
    return { object, data, model, usage, ...super.toJSON() };
  }
}

/** One input's embedding. */
class OpenAIEmbeddingData {
  #response;
  #row;
  #offset;
  #embedding;

  constructor(response, row, offset) {
    this.#response = response;
    this.#row = row;
    this.#offset = offset;
  }

  get object() {
    return 'embedding';
  }

  get index() {
    return this.#offset + this.#row;
  }

  /** As numbers in an array, made once, when it is first looked at. */
  get embedding() {
    this.#embedding ??= Array.from(this.float32());
    return this.#embedding;
  }

  /** As a view of the matrix. */
  float32() {
    return this.#response.row(this.#row);
  }

  toJSON() {
    const { object, index, embedding } = this;
    return { object, index, embedding };
  }

  [inspect.custom](_depth, options) {
    const { object, index } = this;
    return inspect({ object, index, embedding: this.float32() }, options);
  }
}

/** A batch of a long job. Its indices are those of the whole job. */
class EmbedBatch extends OpenAIEmbeddingsResponse {
  #start;

  constructor(answer, start) {
    super(answer, start);
    this.#start = start;
  }

  get start() {
    return this.#start;
  }

  get end() {
    return this.#start + this.shape[0];
  }

  summary() {
    return { start: this.start, end: this.end, ...super.summary() };
  }
}

/** An answer whose data is a list of small items, made in blocks as they are looked at. */
class ListResponse extends Response {
  #data;

  constructor(answer) {
    super(answer.record());
    this.#data = lazyArray(answer.length, BLOCK, (start, end) => answer.slice(start, end));
  }

  get object() {
    return 'list';
  }

  /** In input order. */
  get data() {
    return this.#data;
  }

  toJSON() {
    return { object: this.object, data: this.data, ...super.toJSON() };
  }
}

/** The answer to `rerank`; texts whose request failed are absent from its data. */
class RerankResponse extends ListResponse {
  /** Best first. Equals stay in input order, and NaN comes last. */
  sorted() {
    const last = (one) => (Number.isNaN(one.score) ? 1 : 0);
    return [...this.data].sort((one, other) =>
      last(one) || last(other) ? last(one) - last(other) : other.score - one.score || 0,
    );
  }

  summary() {
    return { texts: this.data.length };
  }
}

/** The answer to `classify`: for each input its classes; none where its request failed. */
class ClassificationResponse extends ListResponse {
  summary() {
    return { inputs: this.data.length };
  }
}

/** The answer to `batchPost`. */
class BatchPostResponse extends Response {
  #native;
  #data;

  constructor(answer) {
    super(answer.record());
    this.#native = answer;
    this.#data = lazyArray(answer.length, 1, (payload) => [read(answer, payload)]);
  }

  /** What each answer says, read when it is looked at; null where the request failed. */
  get data() {
    return this.#data;
  }

  /** One answer's body as it came, decompressed; null where the request failed. */
  content(payload) {
    const body = this.#native.body(payload);
    if (body === null || body === undefined) {
      return null;
    }
    return typeof body === 'string' ? Buffer.from(body) : body;
  }

  summary() {
    return { payloads: this.#data.length };
  }

  toJSON() {
    return { data: this.data, ...super.toJSON() };
  }
}

/** JSON and MessagePack as what they say; other text as a string; anything else as a Buffer. */
function read(answer, payload) {
  const body = answer.body(payload);
  if (body === null || body === undefined) {
    return null;
  }
  const format = answer.format(payload);
  try {
    if (typeof body === 'string') {
      return JSON.parse(body);
    }
    return format === 'msgpack' ? unpack(body) : body;
  } catch (cause) {
    if (format === 'other') {
      return body;
    }
    // The cause's text may quote the body, and with it a key that a server sent back.
    throw new AnswerError(`the answer to payloads[${payload}] cannot be read as ${format}`);
  }
}

/** The response that shows an answer of the native half. */
function responseOf(answer, Embeddings = OpenAIEmbeddingsResponse, offset = 0) {
  switch (answer.constructor.name) {
    case 'EmbeddingsAnswer':
      return new Embeddings(answer, offset);
    case 'RankingAnswer':
      return new RerankResponse(answer);
    case 'ClassesAnswer':
      return new ClassificationResponse(answer);
    default:
      return new BatchPostResponse(answer);
  }
}

module.exports = {
  BatchPostResponse,
  ClassificationResponse,
  EmbedBatch,
  OpenAIEmbeddingData,
  OpenAIEmbeddingsResponse,
  RerankResponse,
  responseOf,
};
