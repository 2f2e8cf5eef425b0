'use strict';
// The package, for `require`. What each thing does is said in index.d.ts.

const native = require('./lib/native');
const client = require('./lib/client');
const errors = require('./lib/errors');
const responses = require('./lib/responses');
const { RequestProcessingPreference } = require('./lib/preference');
const { CancellationToken } = require('./lib/token');

native.initLogging();

exports.PerformanceClient = client.PerformanceClient;
exports.HttpClientWrapper = client.HttpClientWrapper;
exports.Endpoint = client.Endpoint;
exports.EndpointPool = client.EndpointPool;
exports.RequestProcessingPreference = RequestProcessingPreference;
exports.CancellationToken = CancellationToken;

exports.OpenAIEmbeddingsResponse = responses.OpenAIEmbeddingsResponse;
exports.OpenAIEmbeddingData = responses.OpenAIEmbeddingData;
exports.EmbedBatch = responses.EmbedBatch;
exports.RerankResponse = responses.RerankResponse;
exports.ClassificationResponse = responses.ClassificationResponse;
exports.BatchPostResponse = responses.BatchPostResponse;

exports.HedgerowError = errors.HedgerowError;
exports.HTTPError = errors.HTTPError;
exports.TimeoutError = errors.TimeoutError;
exports.ConnectError = errors.ConnectError;
exports.NetworkError = errors.NetworkError;
exports.AnswerError = errors.AnswerError;
exports.CancelledError = errors.CancelledError;
exports.ArgumentError = errors.ArgumentError;

exports.version = native.VERSION;
