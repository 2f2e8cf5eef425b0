'use strict';
// How the requests of a call are sent: settings with their types, as a class or a plain object.

const native = require('./native');
const { inspect } = require('node:util');
const { ArgumentError, checked, kindOf, wrongType } = require('./errors');
const { CancellationToken, nativeToken } = require('./token');

/** The most that the native half takes for a whole number. What is above is out of range anyway. */
const LARGEST = 0xffff_ffff;

// Each reads a value, or refuses it. The texts are those of the core, and name the field as it does.

const whole = (range, most = LARGEST) => (field, value) => {
  if (typeof value !== 'number') {
    throw wrongType(field, 'a whole number', value);
  }
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new ArgumentError(`${field} ${range} (got ${value})`);
  }
  return value;
};

const real = (field, value) => {
  if (typeof value !== 'number') {
    throw wrongType(field, 'a number', value);
  }
  return value;
};

const seconds = (range) => (field, value) => {
  if (!(real(field, value) >= 0) || value === Infinity) {
    throw new ArgumentError(`${field} ${range} (got ${value})`);
  }
  return value;
};

const delay = (field, value) => {
  if (typeof value !== 'string') {
    return seconds('must be between 0.045 and 3600 seconds')(field, value);
  }
  const percent = /^p\d+(\.\d+)?$/.test(value) ? Number(value.slice(1)) : NaN;
  if (!(percent > 0 && percent < 100)) {
    throw new ArgumentError(
      `${field} must be seconds, or a quantile above "p0" and below "p100" such as "p95" ` +
        `(got ${JSON.stringify(value)})`,
    );
  }
  return value;
};

const text = (field, value) => {
  if (typeof value !== 'string') {
    throw wrongType(field, 'a string', value);
  }
  return value;
};

const truth = (field, value) => {
  if (typeof value !== 'boolean') {
    throw wrongType(field, 'true or false', value);
  }
  return value;
};

const token = (field, value) => {
  if (!(value instanceof CancellationToken)) {
    throw wrongType(field, 'a CancellationToken', value);
  }
  return value;
};

/** Names and values of headers. The values, which may be keys, are in no error. */
const headers = (field, value) => {
  const wanted = 'an object of strings';
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongType(field, wanted, value);
  }
  const pairs = value[Symbol.iterator] ? [...value] : Object.entries(value);
  for (const [name, held] of pairs) {
    if (typeof name !== 'string' || typeof held !== 'string') {
      throw wrongType(`${field}[${JSON.stringify(name)}]`, 'a string', held);
    }
  }
  return Object.freeze(Object.fromEntries(pairs));
};

const statuses = (field, value) => {
  if (typeof value === 'string' || typeof value?.[Symbol.iterator] !== 'function') {
    throw wrongType(field, 'an array of statuses', value);
  }
  return Object.freeze(
    [...value].map((status) => {
      whole('must hold statuses between 100 and 599')(field, status);
      if (status < 100 || status > 599) {
        throw new ArgumentError(`${field} must hold statuses between 100 and 599 (got ${status})`);
      }
      return status;
    }),
  );
};

const onError = (field, value) => {
  if (value !== 'raise' && value !== 'return') {
    const shown = typeof value === 'string' ? JSON.stringify(value) : kindOf(value);
    throw new ArgumentError(`${field} must be "raise" or "return" (got ${shown})`);
  }
  return value;
};

const callback = (field, value) => {
  if (typeof value !== 'function') {
    throw wrongType(field, 'a function', value);
  }
  return value;
};

const abortSignal = (field, value) => {
  if (typeof value?.aborted !== 'boolean' || typeof value.addEventListener !== 'function') {
    throw wrongType(field, 'an AbortSignal', value);
  }
  return value;
};

const perMinute = whole('must be between 1 and 1000000000000', 1e12);

const TO_1024 = 'must be greater than 0 and less than or equal to 1024';

/** Every setting: its name here, and how it is read. The first 14 are the positional ones. */
const READ = {
  maxConcurrentRequests: whole(TO_1024),
  batchSize: whole(TO_1024),
  maxCharsPerRequest: whole('must be between 50 and 256000'),
  timeoutS: seconds('must be between 0.1 and 3600 seconds'),
  hedgeDelay: delay,
  totalTimeoutS: seconds('must be greater than 0'),
  hedgeBudgetPct: real,
  retryBudgetPct: real,
  maxRetries: whole('cannot be negative, and cannot exceed 6'),
  initialBackoffMs: whole('must be between 50 and 45000 milliseconds'),
  cancelToken: token,
  primaryApiKeyOverride: text,
  extraHeaders: headers,
  nonRetryableStatusCodes: statuses,
  maxRetryAfterS: seconds('must be between 0 and 3600 seconds'),
  maxTokensPerRequest: whole('must be between 1 and 10000000'),
  maxBytesPerRequest: whole('must be between 1024 and 1000000000'),
  splitRefused: truth,
  requestsPerMinute: perMinute,
  tokensPerMinute: perMinute,
  pinInitialEndpointOnce: truth,
  onError,
  onProgress: callback,
  signal: abortSignal,
};
const NAMES = Object.keys(READ);
const POSITIONAL = NAMES.slice(0, 14);

const DEFAULTS = {
  maxConcurrentRequests: 128,
  batchSize: 128,
  timeoutS: 3600,
  hedgeBudgetPct: 0.1,
  retryBudgetPct: 0.05,
  maxRetries: 5,
  initialBackoffMs: 125,
  maxRetryAfterS: 120,
  splitRefused: true,
  pinInitialEndpointOnce: false,
  onError: 'raise',
};

/** A name as the core, and its texts, have it. */
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const isSetting = (name) => Object.hasOwn(READ, name);

/** Reads settings that were given, and checks them all together. */
function readSettings(given) {
  const values = {};
  for (const [name, value] of Object.entries(given)) {
    if (!isSetting(name)) {
      throw new ArgumentError(`there is no setting ${name} (there are: ${NAMES.join(', ')})`, {
        field: name,
      });
    }
    if (value !== undefined && value !== null) {
      values[name] = READ[name](snake(name), value);
    }
  }
  checked(() => native.checkSettings(nativeSettings(values)));
  return values;
}

/** The settings that the core knows, in the form that the native half takes. */
function nativeSettings(values) {
  const { hedgeDelay, extraHeaders } = values;
  const quantile = typeof hedgeDelay === 'string';
  return {
    maxConcurrentRequests: values.maxConcurrentRequests,
    batchSize: values.batchSize,
    maxCharsPerRequest: values.maxCharsPerRequest,
    timeoutS: values.timeoutS,
    hedgeDelay: quantile ? undefined : hedgeDelay,
    hedgeQuantile: quantile ? Number(hedgeDelay.slice(1)) / 100 : undefined,
    totalTimeoutS: values.totalTimeoutS,
    hedgeBudgetPct: values.hedgeBudgetPct,
    retryBudgetPct: values.retryBudgetPct,
    maxRetries: values.maxRetries,
    initialBackoffMs: values.initialBackoffMs,
    primaryApiKeyOverride: values.primaryApiKeyOverride,
    extraHeaders: extraHeaders && Object.entries(extraHeaders).flat(),
    nonRetryableStatusCodes: values.nonRetryableStatusCodes,
    maxRetryAfterS: values.maxRetryAfterS,
    maxTokensPerRequest: values.maxTokensPerRequest,
    maxBytesPerRequest: values.maxBytesPerRequest,
    splitRefused: values.splitRefused,
    requestsPerMinute: values.requestsPerMinute,
    tokensPerMinute: values.tokensPerMinute,
    returnErrors: values.onError === 'return',
  };
}

const valuesOf = Symbol('values');

/** How the requests of a call are sent. */
class RequestProcessingPreference {
  #values;

  constructor(...given) {
    const object = given.length === 1 && isOptions(given[0]) ? given[0] : undefined;
    if (given.length > POSITIONAL.length) {
      throw new ArgumentError(
        `RequestProcessingPreference takes ${POSITIONAL.length} arguments (got ${given.length})`,
      );
    }
    this.#values = object
      ? settingsOf(object)
      : readSettings(Object.fromEntries(given.map((value, at) => [POSITIONAL[at], value])));
  }

  static default() {
    return new this();
  }

  get [valuesOf]() {
    return this.#values;
  }

  set [valuesOf](values) {
    this.#values = values;
  }

  /** What is set, without keys. */
  toJSON() {
    const shown = {};
    for (const name of NAMES) {
      const value = this[name];
      if (name === 'primaryApiKeyOverride' && value !== null) {
        shown[name] = '***';
      } else if (name === 'extraHeaders' && value !== null) {
        shown[name] = Object.fromEntries(Object.keys(value).map((header) => [header, '***']));
      } else if (typeof value !== 'function' && name !== 'signal') {
        shown[name] = value;
      }
    }
    return shown;
  }

  [inspect.custom](_depth, options) {
    return `RequestProcessingPreference ${inspect(this.toJSON(), options)}`;
  }
}

for (const name of NAMES) {
  Object.defineProperty(RequestProcessingPreference.prototype, name, {
    get() {
      return this[valuesOf][name] ?? DEFAULTS[name] ?? null;
    },
    set(value) {
      const one = readSettings({ [name]: value });
      this[valuesOf] = { ...this[valuesOf], [name]: one[name] };
    },
    enumerable: true,
    configurable: true,
  });
}

/** Whether a value can be an options object: it is neither a list nor anything with a class. */
function isOptions(value) {
  if (value instanceof RequestProcessingPreference) {
    return true;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return false;
  }
  const prototype = Object.getPrototypeOf(value);
  // Another realm has another Object.prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The settings of a preference, or of a plain object that may hold one under `preference`. */
function settingsOf(given) {
  if (given === undefined || given === null) {
    return {};
  }
  if (given instanceof RequestProcessingPreference) {
    return given[valuesOf];
  }
  if (!isOptions(given)) {
    throw wrongType('preference', 'a RequestProcessingPreference or a plain object', given);
  }
  const { preference, ...own } = given;
  return { ...settingsOf(preference), ...readSettings(own) };
}

/** What the native half needs of settings, beside what JavaScript itself heeds. */
function wayOf(values, bridge) {
  return {
    bridge,
    settings: nativeSettings(values),
    token: values.cancelToken && nativeToken(values.cancelToken),
    progress: values.onProgress !== undefined,
  };
}

module.exports = {
  RequestProcessingPreference,
  headers,
  isOptions,
  isSetting,
  settingsOf,
  text,
  truth,
  wayOf,
  whole,
};
