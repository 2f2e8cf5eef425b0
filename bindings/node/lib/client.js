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
  #httpVersion = 1;
  #hasProxy = false;

  constructor(httpVersion, proxy, limits) {
    if (httpVersion === OF_THE_PROCESS) {
      this.#pool = native.Pool.shared();
      return;
    }
    this.#httpVersion = versionOf(httpVersion);
    const url = proxy === undefined || proxy === null ? undefined : text('proxy', proxy);
    this.#hasProxy = url !== undefined;
    const most = {
      maxResponseBytes: bytesOf('max_response_bytes', limits?.maxResponseBytes),
      maxBufferedBytes: bytesOf('max_buffered_bytes', limits?.maxBufferedBytes),
    };
    this.#pool = checked(() => new native.Pool(this.#httpVersion === 2, url, most));
  }

  get httpVersion() {
    return this.#httpVersion;
  }

  /** Not the proxy itself, whose URL may hold a password. */
  toJSON() {
    const httpVersion = this.#httpVersion;
    return this.#hasProxy ? { httpVersion, proxy: '***' } : { httpVersion };
  }

  [inspect.custom](_depth, options) {
    return `HttpClientWrapper ${inspect(this.toJSON(), options)}`;
  }

  static pool(wrapper) {
    return wrapper.#pool;
  }
}

const OF_THE_PROCESS = Symbol('of the process');
const poolOf = HttpClientWrapper.pool;
delete HttpClientWrapper.pool;

let shared;

/** The wrapper of a client that is given none: the process's own, unless it has settings of its own. */
function wrapperFor(httpVersion, proxy) {
  if ((httpVersion ?? 1) !== 1 || (proxy !== undefined && proxy !== null)) {
    return new HttpClientWrapper(httpVersion, proxy);
  }
  shared ??= new HttpClientWrapper(OF_THE_PROCESS);
  return shared;
}

function bytesOf(field, given) {
  if (given === undefined || given === null) {
    return undefined;
  }
  if (typeof given !== 'number') {
    throw wrongType(field, 'a number', given);
  }
  if (!Number.isSafeInteger(given) || given < 1) {
    throw new ArgumentError(`${field} must be a whole number of at least 1 (got ${given})`);
  }
  return given;
}

function versionOf(given) {
  const version = given ?? 1;
  if (typeof version !== 'number') {
    throw wrongType('http_version', '1 or 2', version);
  }
  if (version !== 1 && version !== 2) {
    throw new ArgumentError(`http_version must be 1 or 2 (got ${version})`);
  }
  return version;
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
    if (endpointPool !== undefined && endpointPool !== null) {
      refuseEndpoints(kindOf(endpointPool));
    }
    // A wrapper comes first; what stands beside it is checked as well.
    const own = wrapperFor(httpVersion, proxy);
    this.#wrapper = clientWrapper ?? own;
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
    const fill = (check) => textsOf('input', input, check);
    const start = (way, filled) => this.#native.embed(way, filled, question);
    return await call(native.EmbeddingsAnswer, fill, start, settings);
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
    const fill = (check) => textsOf('texts', texts, check);
    const start = (way, filled) => this.#native.rerank(way, query, filled, scoring(asked));
    return await call(native.RankingAnswer, fill, start, settings);
  }

  async classify(inputs, ...rest) {
    const [asked, settings] = classifyArguments(rest);
    const fill = (check) => textsOf('inputs', inputs, check);
    const start = (way, filled) => this.#native.classify(way, filled, scoring(asked));
    return await call(native.ClassesAnswer, fill, start, settings);
  }

  async batchPost(urlPath, payloads, ...rest) {
    const [{ method, customHeaders }, settings] = postArguments(rest);
    const path = text('url_path', urlPath);
    const headers = customHeaders && Object.entries(customHeaders).flat();
    const fill = (check) => payloadsOf(payloads, check);
    const start = (way, filled) => this.#native.post(way, filled, { path, method, headers });
    return await call(native.PostsAnswer, fill, start, settings);
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

/** Takes inputs, and carries out the call with them, which gives what an `Answer` is shown as. */
async function call(Answer, fill, start, settings) {
  const check = () => refuseAborted(settings.signal, Answer);
  check();
  const filling = fill(check);
  const filled = filling instanceof Promise ? await filling : filling;
  check();
  const begin = (bridge) => checked(() => start(wayOf(settings, bridge), filled));
  const { answer, failure, partial } = await run(begin, settings);
  if (failure) {
    throw errorOf(failure, responseOf(partial), settings.signal);
  }
  return responseOf(answer);
}

function keyOfEnvironment() {
  const { BASETEN_API_KEY, OPENAI_API_KEY } = process.env;
  return BASETEN_API_KEY || OPENAI_API_KEY || undefined;
}

module.exports = { Endpoint, EndpointPool, HttpClientWrapper, PerformanceClient };
