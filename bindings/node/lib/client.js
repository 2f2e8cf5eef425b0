'use strict';
// `PerformanceClient`, and where its connections are.

const native = require('./native');
const { inspect } = require('node:util');
const { run } = require('./bridge');
const { ArgumentError, checked, errorOf, kindOf, wrongType } = require('./errors');
const { payloadsOf, refuseAborted, textsOf } = require('./inputs');
const { isOptions, text, wayOf } = require('./preference');
const { responseOf } = require('./responses');
const { batches } = require('./stream');
const {
  classifyArguments,
  embedArguments,
  embedIterArguments,
  postArguments,
  rerankArguments,
} = require('./arguments');

/** A connection pool that several clients share. It starts nothing before a call is made with it. */
class HttpClientWrapper {
  #pool;

  constructor(httpVersion, proxy) {
    checkTransport(httpVersion, proxy);
    this.#pool = httpVersion === OF_THE_PROCESS ? native.Pool.shared() : new native.Pool();
  }

  get httpVersion() {
    return 1;
  }

  static pool(wrapper) {
    return wrapper.#pool;
  }
}

const OF_THE_PROCESS = Symbol('of the process');
const poolOf = HttpClientWrapper.pool;
delete HttpClientWrapper.pool;

let shared;

/** The wrapper that clients share which are given none. */
function sharedWrapper() {
  shared ??= new HttpClientWrapper(OF_THE_PROCESS);
  return shared;
}

function checkTransport(httpVersion, proxy) {
  const given = httpVersion ?? 1;
  if (given !== 1 && given !== OF_THE_PROCESS) {
    const shown = typeof given === 'number' ? given : kindOf(given);
    const later = given === 2 ? ': HTTP/2 comes with a later release' : '';
    throw new ArgumentError(`http_version must be 1 (got ${shown})${later}`);
  }
  if (proxy !== undefined && proxy !== null) {
    // It is not shown: some put a password there.
    const text = 'proxy must be left out (got one): proxies come with a later release';
    throw new ArgumentError(text);
  }
}

/** Comes with a later release. */
class Endpoint {
  constructor() {
    refuseEndpoints('Endpoint');
  }
}

/** Comes with a later release. */
class EndpointPool {
  constructor() {
    refuseEndpoints('EndpointPool');
  }
}

function refuseEndpoints(got) {
  throw new ArgumentError(
    `endpoint_pool must be left out (got ${got}): pools of endpoints come with a later release; ` +
      'until then, make a PerformanceClient for each endpoint',
  );
}

/** A client of one inference service. */
class PerformanceClient {
  #native;
  #baseUrl;
  #apiKey;
  #wrapper;

  constructor(baseUrl, apiKey, httpVersion, clientWrapper, proxy, endpointPool) {
    if (isOptions(apiKey)) {
      ({ apiKey, httpVersion, clientWrapper, proxy, endpointPool } = apiKey);
    }
    this.#baseUrl = text('base_url', baseUrl);
    this.#apiKey = apiKey === undefined || apiKey === null ? keyOfEnvironment() : apiKey;
    if (this.#apiKey !== undefined && typeof this.#apiKey !== 'string') {
      throw wrongType('api_key', 'a string', this.#apiKey);
    }
    checkTransport(httpVersion, proxy);
    if (endpointPool !== undefined && endpointPool !== null) {
      refuseEndpoints(kindOf(endpointPool));
    }
    this.#wrapper = clientWrapper ?? sharedWrapper();
    if (!(this.#wrapper instanceof HttpClientWrapper)) {
      throw wrongType('client_wrapper', 'an HttpClientWrapper', clientWrapper);
    }
    const pool = poolOf(this.#wrapper);
    this.#native = checked(() => new native.Client(this.#baseUrl, this.#apiKey, pool));
  }

  get baseUrl() {
    return this.#baseUrl;
  }

  get apiKey() {
    return this.#apiKey ?? null;
  }

  getClientWrapper() {
    return this.#wrapper;
  }

  async embed(input, model, ...rest) {
    const [asked, settings] = embedArguments(rest);
    const question = embedding(model, asked);
    refuseAborted(settings.signal);
    const filling = textsOf('input', input, settings.signal);
    const texts = filling instanceof Promise ? await filling : filling;
    const start = (way) => this.#native.embed(way, texts, question);
    return answerOf(await call(start, settings), settings);
  }

  embedIter(inputs, model, ...rest) {
    const [{ inOrder, ...asked }, settings] = embedIterArguments(rest);
    const question = embedding(model, asked);
    if (typeof inputs?.[Symbol.iterator] !== 'function' || typeof inputs === 'string') {
      if (typeof inputs?.[Symbol.asyncIterator] !== 'function') {
        throw wrongType('inputs', 'an iterable of strings, or an asynchronous one', inputs);
      }
    }
    const stream = (way) => checked(() => this.#native.stream(way, question, inOrder ?? false));
    return batches(stream, inputs, settings);
  }

  async rerank(query, texts, ...rest) {
    const [asked, settings] = rerankArguments(rest);
    text('query', query);
    refuseAborted(settings.signal);
    const filling = textsOf('texts', texts, settings.signal);
    const filled = filling instanceof Promise ? await filling : filling;
    const start = (way) => this.#native.rerank(way, query, filled, scoring(asked));
    return answerOf(await call(start, settings), settings);
  }

  async classify(inputs, ...rest) {
    const [asked, settings] = classifyArguments(rest);
    refuseAborted(settings.signal);
    const filling = textsOf('inputs', inputs, settings.signal);
    const filled = filling instanceof Promise ? await filling : filling;
    const start = (way) => this.#native.classify(way, filled, scoring(asked));
    return answerOf(await call(start, settings), settings);
  }

  async batchPost(urlPath, payloads, ...rest) {
    const [{ method, customHeaders }, settings] = postArguments(rest);
    const path = text('url_path', urlPath);
    refuseAborted(settings.signal);
    const filling = payloadsOf(payloads, settings.signal);
    const filled = filling instanceof Promise ? await filling : filling;
    const headers = customHeaders && Object.entries(customHeaders).flat();
    const start = (way) => this.#native.post(way, filled, { path, method, headers });
    return answerOf(await call(start, settings), settings);
  }

  toJSON() {
    return { baseUrl: this.#baseUrl };
  }

  [inspect.custom](_depth, options) {
    return `PerformanceClient ${inspect(this.toJSON(), options)}`;
  }
}

function embedding(model, { encodingFormat, dimensions, user }) {
  text('model', model);
  const base64 = encodingFormat && encodingFormat === 'base64';
  return { model, base64, dimensions, user };
}

function scoring({ model, rawScores, returnText, truncate, truncationDirection }) {
  return {
    model,
    rawScores: rawScores ?? false,
    returnText: returnText ?? false,
    truncate: truncate ?? false,
    cutLeft: truncationDirection === 'left',
  };
}

function call(start, settings) {
  refuseAborted(settings.signal);
  return run((bridge) => checked(() => start(wayOf(settings, bridge))), settings);
}

/** The response, or the error, which is made here so that its stack leads to the caller. */
function answerOf({ answer, failure }, { signal }) {
  if (failure) {
    throw errorOf(failure, failure.partial && responseOf(failure.partial), signal);
  }
  return responseOf(answer);
}

function keyOfEnvironment() {
  const { BASETEN_API_KEY, OPENAI_API_KEY } = process.env;
  return BASETEN_API_KEY || OPENAI_API_KEY || undefined;
}

module.exports = { Endpoint, EndpointPool, HttpClientWrapper, PerformanceClient };
