// The types of the package `hedgerow`, and what each thing does.

/** The version of the package. */
export declare const version: string;

/** How the requests of a call are sent. Every setting can be left out. */
export interface PreferenceOptions {
  /** Requests in flight at once, 1 to 1024, and at most 512 where `batchSize` is below 16. Default 128. */
  maxConcurrentRequests?: number | null;
  /** Inputs a request, 1 to 1024. Default 128. */
  batchSize?: number | null;
  /** Characters (not bytes) a request, 50 to 256,000; an input longer than that goes alone. Default: no limit. */
  maxCharsPerRequest?: number | null;
  /** Seconds that one attempt may take, over connect, head and body: 0.1 to 3600. Default 3600. */
  timeoutS?: number | null;
  /**
   * Seconds after which a request that has not ended gets a second attempt: 0.045 to 3600, and below
   * `timeoutS` - 0.045; or a quantile of the call's own requests, such as `"p95"`. Default: none.
   */
  hedgeDelay?: number | `p${number}` | null;
  /** Seconds that the whole call may take; at least `timeoutS` where that is given. Default: no limit. */
  totalTimeoutS?: number | null;
  /** Second attempts as a share of the requests, 0 to 3. Default 0.10. */
  hedgeBudgetPct?: number | null;
  /** Retries after timeouts and network failures as a share of the requests, 0 to 3. Default 0.05. */
  retryBudgetPct?: number | null;
  /** Retries that one request may make, 0 to 6. Default 5. */
  maxRetries?: number | null;
  /** Milliseconds before the first retry, 50 to 45,000; four times longer each retry, with jitter. Default 125. */
  initialBackoffMs?: number | null;
  /** Ends the call, with all others that have the same token. */
  cancelToken?: CancellationToken | null;
  /** The key of this call in place of the client's. */
  primaryApiKeyOverride?: string | null;
  /** Headers that join each request, or replace one of the same name. */
  extraHeaders?: Readonly<Record<string, string>> | Iterable<readonly [string, string]> | null;
  /** Statuses that are final although they would be retried otherwise. */
  nonRetryableStatusCodes?: Iterable<number> | null;
  /**
   * The longest pause that is made because a server asks for it, 0 to 3600 seconds; a call whose server
   * asks for a longer one ends at once. Default 120.
   */
  maxRetryAfterS?: number | null;
  /**
   * Tokens a request, 1 to 10,000,000, as they are estimated: rather too many than too few. An input that
   * has more goes alone. Default: no limit.
   */
  maxTokensPerRequest?: number | null;
  /**
   * Bytes a request, 1,024 to 1,000,000,000: its body as it is sent. An input that has more goes alone.
   * Default: no limit.
   */
  maxBytesPerRequest?: number | null;
  /**
   * Whether a batch that is refused for one of its inputs is sent again in parts, until that input is
   * found and fails alone. Default true.
   */
  splitRefused?: boolean | null;
  /**
   * The most requests a minute that calls with this setting send to one server with one key, all together,
   * 1 to 10^12. Default: what the server says of itself in headers.
   */
  requestsPerMinute?: number | null;
  /** The same for tokens of input, which are estimated, rather too high than too low. */
  tokensPerMinute?: number | null;
  /** Plays no part yet. Default false. */
  pinInitialEndpointOnce?: boolean | null;
  /**
   * `"raise"` (default): the first request that fails for good ends the call. `"return"`: the others
   * go on, and the response's `errors` says what failed.
   */
  onError?: 'raise' | 'return' | null;
  /** Called with how far the call is, about ten times a second. What it throws ends the call. */
  onProgress?: ((progress: Progress) => void) | null;
  /** Aborts the call: its sockets are closed, and it rejects with a {@link CancelledError}. */
  signal?: AbortSignal | null;
}

/** An options object may hold a preference; settings beside it come first. */
export interface CallOptions extends PreferenceOptions {
  preference?: Preference | null;
}

/** Wherever a preference is taken: the class, or a plain object. */
export type Preference = RequestProcessingPreference | CallOptions;

/** How far a call is. */
export interface Progress {
  /** Inputs whose requests have ended. */
  done: number;
  /** Inputs of the call; `null` in {@link PerformanceClient.embedIter} where nobody knows. */
  total: number | null;
  /** Seconds since the call began. */
  elapsed: number;
  /** Inputs a second, from the beginning to now. */
  rate: number;
  /** What holds the call back at its endpoint, in words, as "window 64 of 256, 2 % refused". */
  heldBack?: string;
}

type Optional<T> = T | null | undefined;

/**
 * How the requests of a call are sent, as a class: every setting can be read and set, and is checked
 * when it is given. Neither `console.log` nor `JSON.stringify` shows a key of it.
 *
 * @example
 * const preference = new RequestProcessingPreference({ batchSize: 32, timeoutS: 20, hedgeDelay: 'p95' });
 */
export declare class RequestProcessingPreference {
  constructor(options?: Preference);
  constructor(
    maxConcurrentRequests?: Optional<number>,
    batchSize?: Optional<number>,
    maxCharsPerRequest?: Optional<number>,
    timeoutS?: Optional<number>,
    hedgeDelay?: Optional<number | `p${number}`>,
    totalTimeoutS?: Optional<number>,
    hedgeBudgetPct?: Optional<number>,
    retryBudgetPct?: Optional<number>,
    maxRetries?: Optional<number>,
    initialBackoffMs?: Optional<number>,
    cancelToken?: Optional<CancellationToken>,
    primaryApiKeyOverride?: Optional<string>,
    extraHeaders?: PreferenceOptions['extraHeaders'],
    nonRetryableStatusCodes?: Optional<Iterable<number>>,
  );

  /** A preference whose every setting has its default. */
  static default(): RequestProcessingPreference;

  maxConcurrentRequests: number;
  batchSize: number;
  maxCharsPerRequest: number | null;
  timeoutS: number;
  hedgeDelay: number | `p${number}` | null;
  totalTimeoutS: number | null;
  hedgeBudgetPct: number;
  retryBudgetPct: number;
  maxRetries: number;
  initialBackoffMs: number;
  cancelToken: CancellationToken | null;
  primaryApiKeyOverride: string | null;
  get extraHeaders(): Readonly<Record<string, string>> | null;
  set extraHeaders(headers: PreferenceOptions['extraHeaders']);
  get nonRetryableStatusCodes(): readonly number[] | null;
  set nonRetryableStatusCodes(statuses: Optional<Iterable<number>>);
  maxRetryAfterS: number;
  maxTokensPerRequest: number | null;
  maxBytesPerRequest: number | null;
  splitRefused: boolean;
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  pinInitialEndpointOnce: boolean;
  onError: 'raise' | 'return';
  onProgress: ((progress: Progress) => void) | null;
  signal: AbortSignal | null;

  /** What is set, without keys. */
  toJSON(): Record<string, unknown>;
}

/** Ends every call that has it. An `AbortSignal` does the same; see {@link PreferenceOptions.signal}. */
export declare class CancellationToken {
  constructor();
  /** Ends all calls that have the token, and every one that is started with it later. */
  cancel(): void;
  /** Whether `cancel` was called; nothing else changes a token. */
  get isCancelled(): boolean;
}

/**
 * A connection pool that several clients share, with threads of its own. It starts nothing before a
 * call is made with it. Clients that are given none share one of the process's own, unless they have
 * an HTTP version or a proxy of their own.
 *
 * @example
 * const wrapper = new HttpClientWrapper(2, 'http://user:password@proxy.example.com:3128');
 * const client = new PerformanceClient('https://inference.example.com', { clientWrapper: wrapper });
 */
export declare class HttpClientWrapper {
  /**
   * @param httpVersion 1 (default) or 2. With 2, many requests share a connection: over TLS where the
   * server agrees (else HTTP/1.1), in clear text by prior knowledge.
   * @param proxy `http://[user:password@]host:port`, or `https` where the proxy itself speaks TLS.
   * Default: that of `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` of the environment.
   * Neither an error nor `console.log` shows it.
   * @param limits How much may come, in bytes: of one answer, unpacked (`maxResponseBytes`, 1 GiB), and
   * of all answers under way while they are read and unpacked (`maxBufferedBytes`, 2 GiB; more of them
   * wait).
   * @throws {ArgumentError} for any other value.
   */
  constructor(
    httpVersion?: Optional<number>,
    proxy?: Optional<string>,
    limits?: Optional<{ maxResponseBytes?: Optional<number>; maxBufferedBytes?: Optional<number> }>,
  );
  get httpVersion(): 1 | 2;
}

/** Comes with a later release; now it throws an {@link ArgumentError}. */
export declare class Endpoint {
  constructor(...args: unknown[]);
}

/** Comes with a later release; now it throws an {@link ArgumentError}. */
export declare class EndpointPool {
  constructor(...args: unknown[]);
}

/** What a client can be given by name. */
export interface ClientOptions {
  apiKey?: Optional<string>;
  httpVersion?: Optional<number>;
  clientWrapper?: Optional<HttpClientWrapper>;
  proxy?: Optional<string>;
  endpointPool?: Optional<EndpointPool>;
}

/** How embeddings travel. It makes no difference to what a call gives. */
export type EncodingFormat = 'float' | 'base64';

/** Which end of a text that is too long is cut off. */
export type TruncationDirection = 'Left' | 'Right' | 'left' | 'right';

/** What `embed` can be given by name. */
export interface EmbedOptions extends CallOptions {
  /** Default: base64 where the server can. */
  encodingFormat?: Optional<EncodingFormat>;
  /** The length of each embedding, for models that offer a choice. */
  dimensions?: Optional<number>;
  /** The end user on whose behalf this is. */
  user?: Optional<string>;
}

/** What `embedIter` can be given by name. */
export interface EmbedIterOptions extends EmbedOptions {
  /** Gives batches in the order of their inputs. Default: as they finish. */
  inOrder?: Optional<boolean>;
}

/** What `classify` can be given by name. */
export interface ClassifyOptions extends CallOptions {
  /** The model, for servers that have several. */
  model?: Optional<string>;
  /** Whether scores are to be the model's own, and not brought between 0 and 1. */
  rawScores?: Optional<boolean>;
  /** Whether a text that is too long is to be cut, and not refused. */
  truncate?: Optional<boolean>;
  /** Default: the right end. */
  truncationDirection?: Optional<TruncationDirection>;
}

/** What `rerank` can be given by name. */
export interface RerankOptions extends ClassifyOptions {
  /** Whether the server is to send each text back beside its score. */
  returnText?: Optional<boolean>;
}

/** The methods that `batchPost` knows. POST, PUT and PATCH carry the payload. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';

/** What `batchPost` can be given by name. */
export interface BatchPostOptions extends CallOptions {
  /** Default `POST`. */
  method?: Optional<Method>;
  /** Headers that join each request, or replace one of the same name; also of `extraHeaders`. */
  customHeaders?: Optional<Readonly<Record<string, string>>>;
}

type PostArgument = Optional<
  RequestProcessingPreference | BatchPostOptions | Readonly<Record<string, string>> | Method
>;

/** What is embedded by {@link PerformanceClient.embedIter}. */
export type Inputs = Iterable<string> | AsyncIterable<string>;

/**
 * A client of one inference service. It starts nothing before its first call, and keeps no process
 * alive that has no call under way.
 *
 * Every call rejects with a {@link HedgerowError}: an {@link ArgumentError} where nothing was sent.
 * Arguments that are optional can be given by position, or in one object in place of the first of
 * them.
 *
 * @example
 * const client = new PerformanceClient('https://inference.example.com', process.env.MY_KEY);
 * const response = await client.embed(['one', 'two'], 'my-model', { batchSize: 64 });
 * console.log(response.shape, response.row(0));
 */
export declare class PerformanceClient {
  /**
   * @param baseUrl Where the service is: `http` or `https`, without a query.
   * @param apiKey Default: `BASETEN_API_KEY`, then `OPENAI_API_KEY` of the environment.
   * @param httpVersion 1 (default) or 2, as {@link HttpClientWrapper} takes it.
   * @param clientWrapper The connections to use; their HTTP version and proxy come before those given
   * here. Default: the process's own; those of the client alone where its version is 2 or it has a
   * proxy.
   * @param proxy The URL of a proxy, as {@link HttpClientWrapper} takes it. Default: that of the
   * environment.
   * @param endpointPool Pools of endpoints come with a later release.
   * @throws {ArgumentError}
   */
  constructor(
    baseUrl: string,
    apiKey?: Optional<string>,
    httpVersion?: Optional<number>,
    clientWrapper?: Optional<HttpClientWrapper>,
    proxy?: Optional<string>,
    endpointPool?: Optional<EndpointPool>,
  );
  constructor(baseUrl: string, options: ClientOptions);

  get baseUrl(): string;
  get apiKey(): string | null;
  getClientWrapper(): HttpClientWrapper;

  /** Asks for embeddings: `POST {baseUrl}/v1/embeddings`. */
  embed(input: readonly string[], model: string, options?: RequestProcessingPreference | EmbedOptions): Promise<OpenAIEmbeddingsResponse>;
  embed(
    input: readonly string[],
    model: string,
    encodingFormat?: Optional<EncodingFormat>,
    dimensions?: Optional<number>,
    user?: Optional<string>,
    preference?: Optional<Preference>,
  ): Promise<OpenAIEmbeddingsResponse>;

  /**
   * Asks for the embeddings of any number of inputs, a batch at a time as they finish. Only a window
   * of batches is in memory, and inputs are taken only as fast as batches are. Leaving the loop
   * aborts what is in flight.
   *
   * @example
   * for await (const batch of client.embedIter(lines, 'my-model', { inOrder: true })) {
   *   console.log(batch.start, batch.end, batch.float32());
   * }
   */
  embedIter(inputs: Inputs, model: string, options?: RequestProcessingPreference | EmbedIterOptions): AsyncGenerator<EmbedBatch, void, void>;
  embedIter(
    inputs: Inputs,
    model: string,
    encodingFormat?: Optional<EncodingFormat>,
    dimensions?: Optional<number>,
    user?: Optional<string>,
    inOrder?: Optional<boolean>,
    preference?: Optional<Preference>,
  ): AsyncGenerator<EmbedBatch, void, void>;

  /** Scores texts by how well they answer a query: `POST {baseUrl}/rerank`. */
  rerank(query: string, texts: readonly string[], options?: RequestProcessingPreference | RerankOptions): Promise<RerankResponse>;
  rerank(
    query: string,
    texts: readonly string[],
    rawScores?: Optional<boolean>,
    model?: Optional<string>,
    returnText?: Optional<boolean>,
    truncate?: Optional<boolean>,
    truncationDirection?: Optional<TruncationDirection>,
    preference?: Optional<Preference>,
  ): Promise<RerankResponse>;

  /** Classifies texts: `POST {baseUrl}/predict`. */
  classify(inputs: readonly string[], options?: RequestProcessingPreference | ClassifyOptions): Promise<ClassificationResponse>;
  classify(
    inputs: readonly string[],
    model?: Optional<string>,
    rawScores?: Optional<boolean>,
    truncate?: Optional<boolean>,
    truncationDirection?: Optional<TruncationDirection>,
    preference?: Optional<Preference>,
  ): Promise<ClassificationResponse>;

  /**
   * Sends each payload in a request of its own, to `{baseUrl}{urlPath}`. A payload is anything that
   * `JSON.stringify` takes; bytes (a Buffer or Uint8Array) are sent as they are.
   *
   * The further arguments may come in any order: a preference, an object of headers and a method are
   * told apart by their kind.
   */
  batchPost<Answer = any>(
    urlPath: string,
    payloads: readonly unknown[],
    preference?: PostArgument,
    customHeaders?: PostArgument,
    method?: PostArgument,
  ): Promise<BatchPostResponse<Answer>>;
}

/** What every response says beside its data. */
export interface ResponseRecord {
  /** Seconds from the call to its answer. */
  readonly total_time: number;
  /** Seconds from each request's first attempt to its success; NaN where it failed. */
  readonly individual_request_times: number[];
  /** The same as `individual_request_times`, under its older name. */
  readonly individual_batch_request_times: number[];
  /** The headers of each request's answer, names in lower case; `{}` where it failed. */
  readonly response_headers: Record<string, string>[];
  /**
   * The requests that failed, made as they are looked at; empty unless `onError` is `"return"`, or this is
   * an error's `partial`.
   */
  readonly errors: FailedRequest[];
}

/** A request that failed for good. */
export interface FailedRequest {
  /** The first input that it carried. */
  start: number;
  /** The one after the last. */
  end: number;
  /** Why it failed. */
  error: HedgerowError;
}

/** The tokens that the server counted. */
export interface OpenAIUsage {
  prompt_tokens: number;
  total_tokens: number;
}

/** The answer to {@link PerformanceClient.embed}. */
export declare class OpenAIEmbeddingsResponse implements ResponseRecord {
  protected constructor();
  readonly total_time: number;
  readonly individual_request_times: number[];
  readonly individual_batch_request_times: number[];
  readonly response_headers: Record<string, string>[];
  readonly errors: FailedRequest[];
  readonly object: 'list';
  /** The model, as the server named it. */
  readonly model: string;
  /** The tokens that the server counted, over all requests. */
  readonly usage: OpenAIUsage;
  /** An item for each input that succeeded, in input order. */
  readonly data: OpenAIEmbeddingData[];
  /** Inputs and dimensions. */
  readonly shape: [inputs: number, dimensions: number];
  /**
   * The matrix, row after row, in input order; NaN where a request failed. It is the memory that the
   * answers were decoded into, and no copy (but where the runtime forbids that, as Electron does):
   * what is written into it shows in `data` too, unless that was looked at before.
   */
  float32(): Float32Array;
  /** The embedding of one input: a view of the matrix. */
  row(input: number): Float32Array;
  toJSON(): object;
}

/** One input's embedding. */
export declare class OpenAIEmbeddingData {
  private constructor();
  readonly object: 'embedding';
  /** The place of the input in the call, or in the whole job where it is an {@link EmbedBatch}'s. */
  readonly index: number;
  /** As numbers in an array, made once, when it is first looked at. */
  readonly embedding: number[];
  /** As a view of the matrix. */
  float32(): Float32Array;
  toJSON(): object;
}

/** A batch of {@link PerformanceClient.embedIter}. Its indices are those of the whole job. */
export declare class EmbedBatch extends OpenAIEmbeddingsResponse {
  /** The number of its first input. */
  readonly start: number;
  /** The number after that of its last input. */
  readonly end: number;
}

/** The score of one text. */
export interface RerankResult {
  /** The place of the text in the call. */
  index: number;
  /** How well it answers the query; NaN where the server has no score. */
  score: number;
  /** The text, if `returnText` was set. */
  text: string | null;
}

/** The answer to {@link PerformanceClient.rerank}. */
export declare class RerankResponse implements ResponseRecord {
  private constructor();
  readonly total_time: number;
  readonly individual_request_times: number[];
  readonly individual_batch_request_times: number[];
  readonly response_headers: Record<string, string>[];
  readonly errors: FailedRequest[];
  readonly object: 'list';
  /** In input order; texts whose request failed are absent. Items are made as they are looked at. */
  readonly data: RerankResult[];
  /** Best first. Equals stay in input order, and NaN comes last. */
  sorted(): RerankResult[];
  toJSON(): object;
}

/** A class of an input. */
export interface ClassificationResult {
  label: string;
  /** How well it fits: a probability, or raw, as was asked for; NaN where the server has none. */
  score: number;
}

/** The answer to {@link PerformanceClient.classify}. */
export declare class ClassificationResponse implements ResponseRecord {
  private constructor();
  readonly total_time: number;
  readonly individual_request_times: number[];
  readonly individual_batch_request_times: number[];
  readonly response_headers: Record<string, string>[];
  readonly errors: FailedRequest[];
  readonly object: 'list';
  /** For each input its classes, in input order; none where its request failed. */
  readonly data: ClassificationResult[][];
  toJSON(): object;
}

/** The answer to {@link PerformanceClient.batchPost}. */
export declare class BatchPostResponse<Answer = any> implements ResponseRecord {
  private constructor();
  readonly total_time: number;
  readonly individual_request_times: number[];
  readonly individual_batch_request_times: number[];
  readonly response_headers: Record<string, string>[];
  readonly errors: FailedRequest[];
  /**
   * What each answer says, in the order of the payloads; `null` where the request failed. JSON and
   * MessagePack are read when they are first looked at (a `bin` becomes a Buffer); other text is a
   * string, and anything else a Buffer.
   *
   * It is an array to everyone but `structuredClone` and `postMessage`, which take `[...data]`.
   */
  readonly data: Answer[];
  /** One answer's body as it came, decompressed; `null` where the request failed. */
  content(payload: number): Buffer | null;
  toJSON(): object;
}

/** Any response. */
export type Response =
  | OpenAIEmbeddingsResponse
  | RerankResponse
  | ClassificationResponse
  | BatchPostResponse;

/** The base of all errors of this package. None shows a key. */
export declare class HedgerowError extends Error {
  /**
   * What happened, in a word: `status`, `timeout`, `connect`, `network`, `answer`, `cancelled`, `config`,
   * of which each has a class; `overloaded` (too many calls are under way), `closed`, `internal`.
   */
  readonly kind: string;
  /** The id that the failed attempt carried, for the server's logs. */
  readonly requestId?: string;
  /**
   * What had finished when the call failed: a response with the failures in its `errors`, and an empty
   * one where nothing had. Not in an `ArgumentError`, nor in the error of a single request.
   */
  readonly partial?: Response;
  /** The requests that failed; those of `partial`. */
  readonly errors: FailedRequest[];
}

/** The server answered with a status that is not a success. */
export declare class HTTPError extends HedgerowError {
  readonly status: number;
  /** The body of the answer, at most its first 64 KiB, as text. */
  readonly body: string;
  /** The headers of the answer, names in lower case. */
  readonly headers: Record<string, string>;
}

/** A request (`timeoutS`), or the whole call (`totalTimeoutS`), took too long. */
export declare class TimeoutError extends HedgerowError {}

/** No connection could be made: no such host, refused, or a failed TLS handshake. */
export declare class ConnectError extends HedgerowError {}

/** The connection broke while a request was under way, or the answer ended early. */
export declare class NetworkError extends HedgerowError {}

/** The answer is whole, and is not what was asked for. */
export declare class AnswerError extends HedgerowError {}

/**
 * The call was cancelled by a token, or by a signal, whose `reason` is then the `cause`. Its `name`
 * and `code` are those of the error that `fetch` gives.
 */
export declare class CancelledError extends HedgerowError {
  readonly name: 'AbortError';
  readonly code: 'ABORT_ERR';
}

/** An argument is of the wrong type, or out of range. Nothing was sent. */
export declare class ArgumentError extends HedgerowError {
  /** Which argument. */
  readonly field: string;
  readonly code: 'ERR_INVALID_ARG_TYPE' | 'ERR_INVALID_ARG_VALUE';
}
