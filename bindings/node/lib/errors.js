'use strict';
// What can go wrong, as classes. `HedgerowError` is the base of all.

/** Something that a call was to do and did not. Its `kind` is the core's word for it. */
class HedgerowError extends Error {
  /** @param {string} message @param {object} [details] */
  constructor(message, { cause, requestId, partial } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    if (requestId !== undefined) {
      this.requestId = requestId;
    }
    // An answer may be large, and is looked at on purpose.
    hidden(this, 'partial', partial);
  }

  /** The requests that failed, of a call that had begun. */
  get errors() {
    return this.partial?.errors ?? [];
  }
}

/** The server answered with a status that is not a success. */
class HTTPError extends HedgerowError {
  constructor(message, details) {
    super(message, details);
    this.status = details.status;
    hidden(this, 'body', details.body ?? '');
    // A server may send back what it was sent.
    hidden(this, 'headers', details.headers ?? {});
  }
}

/** A request, or the whole call, took too long. */
class TimeoutError extends HedgerowError {}

/** No connection could be made. */
class ConnectError extends HedgerowError {}

/** The connection broke, or the answer ended early. */
class NetworkError extends HedgerowError {}

/** The answer is whole, and is not what was asked for. */
class AnswerError extends HedgerowError {}

/** The call was cancelled, by a token or a signal. Its `name` is that of fetch's error. */
class CancelledError extends HedgerowError {
  constructor(message, details) {
    super(message, details);
    this.code = 'ABORT_ERR';
  }
}

/** An argument is of the wrong type, or out of range. Nothing was sent. */
class ArgumentError extends HedgerowError {
  constructor(message, { field, cause, code = 'ERR_INVALID_ARG_VALUE' } = {}) {
    super(message, { cause });
    this.field = field ?? fieldOf(message);
    this.code = code;
  }
}

/** The class of each kind of failure that the core knows. */
const CLASSES = {
  config: ArgumentError,
  status: HTTPError,
  timeout: TimeoutError,
  connect: ConnectError,
  network: NetworkError,
  answer: AnswerError,
  cancelled: CancelledError,
  closed: HedgerowError,
  overloaded: HedgerowError,
  inside_runtime: HedgerowError,
  internal: HedgerowError,
};

for (const [kind, type] of Object.entries(CLASSES)) {
  hidden(type.prototype, 'name', type.name);
  hidden(type.prototype, 'kind', kind);
}
hidden(CancelledError.prototype, 'name', 'AbortError');

function hidden(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, configurable: true });
}

/** The argument that a text of the core's is about, as JavaScript spells it; or the variable. */
function fieldOf(message) {
  if (message.startsWith('Invalid HTTP method')) {
    return 'method';
  }
  const first = /^\w+/.exec(message)?.[0] ?? '';
  if (/_proxy$/i.test(first)) {
    return first; // a variable of the environment
  }
  const name = message.includes('list cannot be empty') ? first.toLowerCase() : first;
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

/** An argument is not of the type that it should be. Its value, which may be a key, is not shown. */
function wrongType(field, wanted, value) {
  const text = `${field} must be ${wanted}, not ${kindOf(value)}`;
  return new ArgumentError(text, { code: 'ERR_INVALID_ARG_TYPE' });
}

/** What a value is, in a word or two. */
function kindOf(value) {
  if (value === null || value === undefined) {
    return String(value);
  }
  if (typeof value !== 'object') {
    return `a ${typeof value}`;
  }
  const name = value.constructor?.name;
  return name && name !== 'Object' ? `${name}` : 'an object';
}

/** The error for a failure that the native half tells of. */
function errorOf(failure, partial, signal) {
  const { kind, message, status, body, requestId, causes } = failure;
  let cause = causes.reduceRight(
    (inner, text) => new Error(text, inner && { cause: inner }),
    undefined,
  );
  if (kind === 'cancelled' && signal?.aborted) {
    cause = signal.reason;
  }
  const headers = failure.headers && headersOf(failure.headers);
  const error = new CLASSES[kind](message, { cause, status, body, headers, requestId, partial });
  hidden(error, 'kind', kind);
  return error;
}

/** Names and values that come by turns; those of a name that came twice are joined. */
function headersOf(flat) {
  const headers = {};
  for (let at = 0; at < flat.length; at += 2) {
    const [name, value] = [flat[at], flat[at + 1]];
    const held = Object.hasOwn(headers, name) ? `${headers[name]}, ${value}` : value;
    // A server can name a header as it likes.
    Object.defineProperty(headers, name, {
      value: held,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return headers;
}

/** Runs native code, whose refusals become `ArgumentError`s. */
function checked(run) {
  try {
    return run();
  } catch (error) {
    if (error instanceof HedgerowError) {
      throw error;
    }
    if (error.code === 'InvalidArg') {
      throw new ArgumentError(error.message);
    }
    throw new HedgerowError(error.message, { cause: error });
  }
}

module.exports = {
  HedgerowError,
  HTTPError,
  TimeoutError,
  ConnectError,
  NetworkError,
  AnswerError,
  CancelledError,
  ArgumentError,
  checked,
  errorOf,
  headersOf,
  kindOf,
  wrongType,
};
