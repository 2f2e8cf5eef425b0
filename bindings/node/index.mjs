// The package, for `import`: the very same classes, so that `instanceof` holds across both.

import hedgerow from './index.js';

export const {
  PerformanceClient,
  HttpClientWrapper,
  Endpoint,
  EndpointPool,
  RequestProcessingPreference,
  CancellationToken,
  OpenAIEmbeddingsResponse,
  OpenAIEmbeddingData,
  EmbedBatch,
  RerankResponse,
  ClassificationResponse,
  BatchPostResponse,
  HedgerowError,
  HTTPError,
  TimeoutError,
  ConnectError,
  NetworkError,
  AnswerError,
  CancelledError,
  ArgumentError,
  version,
} = hedgerow;

export default hedgerow;
