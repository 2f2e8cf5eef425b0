'use strict';
// The calls under way on this thread: who waits for them, and who wants to be told.

const native = require('./native');

/** The calls by number; those of streams have `woken` alone. */
const waiting = new Map();
/** The calls that a signal ends. One listener a signal, however many calls have it. */
const bySignal = new WeakMap();

let bridge;

/** The native bridge of this thread, made when it is first needed. */
function theBridge() {
  // Not at once: what is ready again by then would be drained in the same turn of the event loop,
  // and again, and nothing else would have one.
  bridge ??= new native.Bridge(() => setImmediate(drain));
  return bridge;
}

/** Called when something is ready. */
function drain() {
  for (const news of bridge.drain()) {
    const call = waiting.get(news.call);
    if (call?.woken) {
      call.woken();
    } else if (call) {
      tell(call, news);
    }
  }
}

function tell(call, news) {
  if (news.progress && call.onProgress) {
    try {
      call.onProgress(news.progress);
    } catch (error) {
      release(call);
      bridge.forget(call.number);
      call.reject(error);
      return;
    }
  }
  if (news.answer || news.failure) {
    release(call);
    call.resolve(news);
  }
}

function release(call) {
  waiting.delete(call.number);
  if (call.signal) {
    unlisten(call.signal, call.number);
  }
}

/**
 * Starts a call, and promises its news: an answer or a failure. It is not the failure's error that
 * is promised, so that whoever makes one is on the stack when it is made.
 */
function run(start, { onProgress, signal }) {
  const first = start(theBridge());
  return new Promise((resolve, reject) => {
    const call = { number: first.call, onProgress, signal, resolve, reject };
    waiting.set(call.number, call);
    if (signal) {
      listen(signal, call.number);
    }
    tell(call, first);
  });
}

function listen(signal, number) {
  let listener = bySignal.get(signal);
  if (!listener) {
    const calls = new Set();
    const abort = () => calls.forEach((call) => bridge.cancel(call));
    listener = { calls, abort };
    bySignal.set(signal, listener);
    signal.addEventListener('abort', abort);
  }
  listener.calls.add(number);
}

function unlisten(signal, number) {
  const listener = bySignal.get(signal);
  listener.calls.delete(number);
  if (listener.calls.size === 0) {
    signal.removeEventListener('abort', listener.abort);
    bySignal.delete(signal);
  }
}

module.exports = { run, theBridge, waiting };
