'use strict';
// Texts and payloads on their way to the native half, a slice at a time, so that no list is too
// long for the event loop.

const native = require('./native');
const { ArgumentError, CancelledError, kindOf, wrongType } = require('./errors');
const { responseOf } = require('./responses');

/** So many items, and about so many characters, cross over at once. */
const ITEMS = 1024;
const CHARACTERS = 1 << 18;
/** After so many milliseconds the event loop has a turn. */
const TURN_MS = 2;

const lengths = new Uint32Array(ITEMS);

/** Ends a turn when it has lasted long enough. */
class Turns {
  #began = performance.now();

  /** Whether the event loop is due a turn. */
  get over() {
    return performance.now() - this.#began > TURN_MS;
  }

  /** Gives it one. */
  async next() {
    await new Promise(setImmediate);
    this.#began = performance.now();
  }
}

function listOf(field, items) {
  if (Array.isArray(items)) {
    return items;
  }
  if (typeof items === 'object' && typeof items?.[Symbol.iterator] === 'function') {
    return [...items];
  }
  throw wrongType(field, 'an array', items);
}

/** Texts for the native half. `check` is called between turns, and may end it. */
function textsOf(field, items, check) {
  const list = listOf(field, items);
  return fill(list, new native.Texts(), check, (item, at) => textOf(field, item, at));
}

/** Few texts, that were looked at, for the native half. */
function filled(texts) {
  const into = new native.Texts();
  for (let at = 0; at < texts.length; ) {
    at = pushSlice(texts, at, into, (text) => text);
  }
  return into;
}

function textOf(field, item, at) {
  if (typeof item !== 'string') {
    throw wrongType(`${field}[${at}]`, 'a string', item);
  }
  return item;
}

/** Payloads for the native half: JSON, written here; bytes as they are. */
function payloadsOf(items, check) {
  const list = listOf('payloads', items);
  return fill(list, new native.Payloads(), check, payloadOf);
}

function payloadOf(item, at) {
  if (item instanceof Uint8Array) {
    return item;
  }
  const refuse = (reason, cause) =>
    new ArgumentError(`payloads[${at}] ${reason}`, {
      field: `payloads[${at}]`,
      cause,
      code: 'ERR_INVALID_ARG_TYPE',
    });
  let text;
  try {
    text = JSON.stringify(item);
  } catch (cause) {
    // A value that holds itself, or a BigInt.
    throw refuse(`is no JSON: ${cause.message}`, cause);
  }
  if (text === undefined) {
    throw refuse(`is ${kindOf(item)}, which JSON cannot hold`);
  }
  return text;
}

/** Fills `into`. Gives a promise only where it takes more than a turn. */
function fill(list, into, check, read) {
  const turns = new Turns();
  let at = 0;
  while (at < list.length) {
    at = pushSlice(list, at, into, read);
    if (turns.over && at < list.length) {
      // Whoever called goes on meanwhile, and may change its list.
      return fillLater(list.slice(at), at, into, check, read, turns);
    }
  }
  return into;
}

async function fillLater(list, offset, into, check, read, turns) {
  const readAt = (item, at) => read(item, offset + at);
  let at = 0;
  while (at < list.length) {
    if (turns.over) {
      await turns.next();
      check();
    }
    at = pushSlice(list, at, into, readAt);
  }
  return into;
}

/** Pushes a slice that begins at `start`, and says where the next one does. */
function pushSlice(list, start, into, read) {
  const texts = [];
  let characters = 0;
  let at = start;
  for (; at < list.length && texts.length < ITEMS && characters < CHARACTERS; at++) {
    const text = read(list[at], at);
    if (typeof text !== 'string') {
      // The bytes of a payload, which come after the texts before them.
      pushTexts(texts, into);
      into.pushBytes(text);
      return at + 1;
    }
    lengths[texts.length] = text.length;
    characters += text.length;
    texts.push(text);
  }
  pushTexts(texts, into);
  return at;
}

function pushTexts(texts, into) {
  if (texts.length > 0) {
    into.push(texts.join(''), lengths.subarray(0, texts.length));
  }
}

/** A signal that was aborted ends a call before it begins. An `Answer` is what it would have given. */
function refuseAborted(signal, Answer) {
  if (signal?.aborted) {
    const partial = responseOf(new Answer());
    throw new CancelledError('the operation was cancelled', { cause: signal.reason, partial });
  }
}

module.exports = { ITEMS, Turns, filled, listOf, payloadsOf, refuseAborted, textOf, textsOf };
