'use strict';
// What is refused: by type, by range, by kind; each error names the field.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { ArgumentError, CancellationToken, Endpoint, EndpointPool, HedgerowError } = require('..');
const { HttpClientWrapper, PerformanceClient, RequestProcessingPreference } = require('..');

const client = new PerformanceClient('http://127.0.0.1:9', 'key');
const embed = (options) => client.embed(['a'], 'm', options);

const refusals = [
  [() => client.embed([], 'm'), 'input', 'Input list cannot be empty'],
  [() => client.rerank('q', []), 'texts', 'Texts list cannot be empty'],
  [() => client.classify([]), 'inputs', 'Inputs list cannot be empty'],
  [() => client.batchPost('/x', []), 'payloads', 'Payloads list cannot be empty'],
  [() => client.embed('abc', 'm'), 'input', 'input must be an array, not a string'],
  [() => client.embed(['a', 3], 'm'), 'input', 'input[1] must be a string, not a number'],
  [() => client.embed(['a']), 'model', 'model must be a string, not undefined'],
  [() => client.embed(['a'], 'm', 'floats'), 'encodingFormat', "Encoding format must be 'float' or 'base64' (got \"floats\")"],
  [() => client.embed(['a'], 'm', null, 0), 'dimensions', 'dimensions must be greater than 0 (got 0)'],
  [() => client.embed(['a'], 'm', null, 1.5), 'dimensions', 'dimensions must be greater than 0 (got 1.5)'],
  [() => client.embed(['a'], 'm', null, null, 'u', 'x'), 'preference', 'preference must be a RequestProcessingPreference or a plain object, not a string'],
  [() => client.rerank(1, ['a']), 'query', 'query must be a string, not a number'],
  [() => client.rerank('q', ['a'], 'yes'), 'rawScores', 'raw_scores must be true or false, not a string'],
  [() => client.classify(['a'], { truncationDirection: 'up' }), 'truncationDirection', "truncation_direction must be 'Left' or 'Right' (got \"up\")"],
  [() => client.batchPost('/x', [1], 'post'), 'method', 'Invalid HTTP method: "post"'],
  [() => client.batchPost('/x', [1], { 'x-a': 1 }), 'customHeaders', 'custom_headers["x-a"] must be a string, not a number'],
  [() => client.batchPost('/x', [1], true), 'an', 'an argument of batchPost must be'],
  [() => client.batchPost('/x', [undefined]), 'payloads[0]', 'payloads[0] is undefined, which JSON cannot hold'],
  [() => client.batchPost('/x', [1, 2n]), 'payloads[1]', 'payloads[1] is no JSON'],
  [() => client.embedIter('abc', 'm'), 'inputs', 'inputs must be an iterable of strings, or an asynchronous one, not a string'],
  [() => embed({ batchSize: 2000 }), 'batchSize', 'batch_size must be greater than 0 and less than or equal to 1024 (got 2000)'],
  [() => embed({ batchSize: 0 }), 'batchSize', 'batch_size must be greater than 0 and less than or equal to 1024 (got 0)'],
  [() => embed({ batchSize: -1 }), 'batchSize', 'batch_size must be greater than 0 and less than or equal to 1024 (got -1)'],
  [() => embed({ batchSize: '8' }), 'batchSize', 'batch_size must be a whole number, not a string'],
  [() => embed({ maxConcurrentRequests: 1025 }), 'maxConcurrentRequests', 'max_concurrent_requests must be greater than 0 and less than or equal to 1024 (got 1025)'],
  [() => embed({ maxConcurrentRequests: 513, batchSize: 15 }), 'maxConcurrentRequests', 'max_concurrent_requests must be less than 512 when batch_size is less than 16'],
  [() => embed({ maxCharsPerRequest: 49 }), 'maxCharsPerRequest', 'max_chars_per_request must be between 50 and 256000 (got 49)'],
  [() => embed({ timeoutS: 0.09 }), 'timeoutS', 'timeout_s must be between 0.1 and 3600 seconds (got 0.09)'],
  [() => embed({ timeoutS: NaN }), 'timeoutS', 'timeout_s must be between 0.1 and 3600 seconds (got NaN)'],
  [() => embed({ timeoutS: 5, totalTimeoutS: 2 }), 'totalTimeoutS', 'total_timeout_s must be at least timeout_s'],
  [() => embed({ hedgeDelay: 0.01 }), 'hedgeDelay', 'hedge_delay must be between 0.045 and 3600 seconds (got 0.01)'],
  [() => embed({ hedgeDelay: 'p100' }), 'hedgeDelay', 'hedge_delay must be seconds, or a quantile'],
  [() => embed({ hedgeBudgetPct: -0.1 }), 'hedgeBudgetPct', 'hedge_budget_pct cannot be negative'],
  [() => embed({ retryBudgetPct: 3.5 }), 'retryBudgetPct', 'retry_budget_pct cannot exceed 3 (300%)'],
  [() => embed({ maxRetries: 7 }), 'maxRetries', 'max_retries cannot exceed 6 (got 7)'],
  [() => embed({ initialBackoffMs: 49 }), 'initialBackoffMs', 'initial_backoff_ms must be between 50 and 45000 milliseconds (got 49)'],
  [() => embed({ cancelToken: {} }), 'cancelToken', 'cancel_token must be a CancellationToken, not an object'],
  [() => embed({ signal: 1 }), 'signal', 'signal must be an AbortSignal, not a number'],
  [() => embed({ onProgress: 1 }), 'onProgress', 'on_progress must be a function, not a number'],
  [() => embed({ onError: 'ignore' }), 'onError', 'on_error must be "raise" or "return" (got "ignore")'],
  [() => embed({ nonRetryableStatusCodes: [99] }), 'nonRetryableStatusCodes', 'non_retryable_status_codes must hold statuses between 100 and 599 (got 99)'],
  [() => embed({ maxRetryAfterS: 3601 }), 'maxRetryAfterS', 'max_retry_after_s must be between 0 and 3600 seconds (got 3601)'],
  [() => embed({ maxTokensPerRequest: 0 }), 'maxTokensPerRequest', 'max_tokens_per_request must be between 1 and 10000000 (got 0)'],
  [() => embed({ maxBytesPerRequest: 1023 }), 'maxBytesPerRequest', 'max_bytes_per_request must be between 1024 and 1000000000 (got 1023)'],
  [() => embed({ requestsPerMinute: 0 }), 'requestsPerMinute', 'requests_per_minute must be between 1 and 1000000000000 (got 0)'],
  [() => embed({ tokensPerMinute: 1e13 }), 'tokensPerMinute', 'tokens_per_minute must be between 1 and 1000000000000 (got 10000000000000)'],
  [() => embed({ primaryApiKeyOverride: '' }), 'apiKey', 'api_key cannot be empty'],
  [() => embed({ batchsize: 3 }), 'batchsize', 'there is no setting batchsize'],
  [() => new PerformanceClient('nonsense'), 'baseUrl', 'base_url is not a URL'],
  [() => new PerformanceClient('ftp://h', 'k'), 'baseUrl', 'base_url must begin with http:// or https://'],
  [() => new PerformanceClient('http://h', 1), 'apiKey', 'api_key must be a string, not a number'],
  [() => new PerformanceClient('http://h', 'k', 0), 'httpVersion', 'http_version must be 1 or 2 (got 0)'],
  [() => new PerformanceClient('http://h', 'k', 3, new HttpClientWrapper(2)), 'httpVersion', 'http_version must be 1 or 2 (got 3)'],
  [() => new PerformanceClient('http://h', { proxy: 'socks5://u:secret@p' }), 'proxy', 'proxy is of an unknown scheme; http://[user:password@]host:port is expected'],
  [() => new PerformanceClient('http://h', 'k', 1, {}), 'clientWrapper', 'client_wrapper must be an HttpClientWrapper, not an object'],
  [() => new HttpClientWrapper(1.5), 'httpVersion', 'http_version must be 1 or 2 (got 1.5)'],
  [() => new HttpClientWrapper('2'), 'httpVersion', 'http_version must be 1 or 2, not a string'],
  [() => new HttpClientWrapper(2, 3128), 'proxy', 'proxy must be a string, not a number'],
  [() => new HttpClientWrapper(1, 'http://u:secret@'), 'proxy', 'proxy is no URL'],
  [() => new HttpClientWrapper(1, ''), 'proxy', 'proxy is no URL'],
  [() => new HttpClientWrapper(1, null, { maxResponseBytes: 0 }), 'maxResponseBytes', 'max_response_bytes must be a whole number of at least 1 (got 0)'],
  [() => new HttpClientWrapper(1, null, { maxBufferedBytes: '1' }), 'maxBufferedBytes', 'max_buffered_bytes must be a number, not a string'],
  [() => new PerformanceClient('http://h', { endpointPool: {} }), 'endpointPool', 'endpoint_pool must be left out (got an object)'],
  [() => new Endpoint('http://h', 'k'), 'endpointPool', 'endpoint_pool must be left out (got Endpoint)'],
  [() => new EndpointPool([]), 'endpointPool', 'endpoint_pool must be left out (got EndpointPool)'],
  [() => new RequestProcessingPreference(0), 'maxConcurrentRequests', 'max_concurrent_requests must be greater than 0'],
];

for (const [run, field, text] of refusals) {
  test(`refused: ${text}`, async () => {
    const error = await (async () => run())().then(assert.fail, (error) => error);
    assert.ok(error instanceof ArgumentError && error instanceof HedgerowError, error);
    assert.equal(error.name, 'ArgumentError');
    assert.ok(error.message.startsWith(text), error.message);
    assert.equal(error.field, field);
    assert.equal(error.partial, undefined);
    assert.deepEqual(error.errors, []);
  });
}

test('a_preference_can_be_read_and_set', () => {
  const token = new CancellationToken();
  const preference = new RequestProcessingPreference(
    64, 32, 1000, 20, 0.5, 60, 0.2, 0.1, 3, 200, token, 'sk-1', { 'X-A': 'b' }, [404],
  );
  assert.equal(preference.maxConcurrentRequests, 64);
  assert.equal(preference.cancelToken, token);
  assert.deepEqual(preference.extraHeaders, { 'X-A': 'b' });
  assert.deepEqual(preference.nonRetryableStatusCodes, [404]);
  preference.batchSize = 16;
  preference.hedgeDelay = 'p99.9';
  preference.totalTimeoutS = null;
  assert.equal(preference.batchSize, 16);
  assert.equal(preference.hedgeDelay, 'p99.9');
  assert.equal(preference.totalTimeoutS, null);
  assert.throws(() => (preference.batchSize = 5000), ArgumentError);
  assert.equal(preference.batchSize, 16);
});

test('a_preference_has_the_defaults_of_the_core', () => {
  assert.deepEqual(RequestProcessingPreference.default().toJSON(), {
    maxConcurrentRequests: 128,
    batchSize: 128,
    maxCharsPerRequest: null,
    timeoutS: 3600,
    hedgeDelay: null,
    totalTimeoutS: null,
    hedgeBudgetPct: 0.1,
    retryBudgetPct: 0.05,
    maxRetries: 5,
    initialBackoffMs: 125,
    cancelToken: null,
    primaryApiKeyOverride: null,
    extraHeaders: null,
    nonRetryableStatusCodes: null,
    maxRetryAfterS: 120,
    maxTokensPerRequest: null,
    maxBytesPerRequest: null,
    splitRefused: true,
    requestsPerMinute: null,
    tokensPerMinute: null,
    pinInitialEndpointOnce: false,
    onError: 'raise',
    onProgress: null,
  });
});
