'use strict';
// Long jobs: batches of embeddings over any number of inputs, of which a window is in memory.

const native = require('./native');
const { theBridge, waiting } = require('./bridge');
const { errorOf, wrongType } = require('./errors');
const { Turns, filled, refuseAborted, textOf } = require('./inputs');
const { wayOf } = require('./preference');
const { EmbedBatch, responseOf } = require('./responses');

const DEFAULT_BATCH = 128;

/** The iterator of an iterable; whether it is an asynchronous one. */
function iteratorOf(inputs) {
  if (typeof inputs === 'object' || typeof inputs === 'function') {
    if (typeof inputs?.[Symbol.asyncIterator] === 'function') {
      return { iterator: inputs[Symbol.asyncIterator](), later: true };
    }
    if (typeof inputs?.[Symbol.iterator] === 'function') {
      return { iterator: inputs[Symbol.iterator](), later: false };
    }
  }
  throw wrongType('inputs', 'an iterable of strings, or an asynchronous one', inputs);
}

/** The batches, as they finish or in order. `stream` makes the native stream. */
async function* batches(stream, inputs, settings) {
  const { signal, onProgress } = settings;
  refuseAborted(signal, native.EmbeddingsAnswer);
  const job = new Job(stream(wayOf(settings, theBridge())), inputs, settings);
  const began = performance.now();
  const total = Array.isArray(inputs) ? inputs.length : null;
  let done = 0;
  try {
    for (;;) {
      const found = await job.next();
      if (found === undefined) {
        return;
      }
      if (found.failure) {
        throw job.error(found);
      }
      const batch = responseOf(found.answer, EmbedBatch, found.start);
      done += batch.shape[0];
      const elapsed = (performance.now() - began) / 1000;
      onProgress?.({ done, total, elapsed, rate: done / elapsed });
      yield batch;
    }
  } finally {
    job.close();
  }
}

/** A long job under way: it looks for batches, and feeds inputs as they are asked for. */
class Job {
  #stream;
  #feeder;
  #signal;
  #wake = () => {};
  #woken = false;

  constructor(stream, inputs, { signal, batchSize = DEFAULT_BATCH }) {
    this.#stream = stream;
    this.#signal = signal;
    this.#feeder = new Feeder(stream, inputs, batchSize, () => this.#arouse());
    waiting.set(stream.call, { woken: () => this.#arouse() });
    this.abort = () => this.#arouse();
    signal?.addEventListener('abort', this.abort);
  }

  /** What the next poll finds that is a batch or a failure; undefined at the end. */
  async next() {
    for (;;) {
      refuseAborted(this.#signal, native.EmbeddingsAnswer);
      this.#woken = false;
      const found = this.#stream.poll();
      if (found.hungry) {
        this.#feeder.feed();
      }
      if (found.answer || found.failure) {
        return found;
      }
      if (found.ended) {
        this.#feeder.rethrow();
        return undefined;
      }
      await this.#sleep();
    }
  }

  error({ failure, partial }) {
    return errorOf(failure, responseOf(partial), this.#signal);
  }

  close() {
    this.#stream.close();
    waiting.delete(this.#stream.call);
    this.#signal?.removeEventListener('abort', this.abort);
    this.#feeder.close();
  }

  /** Until there is news, which may have come already. */
  async #sleep() {
    if (this.#woken) {
      return;
    }
    const bridge = theBridge();
    bridge.hold(true);
    await new Promise((resolve) => {
      this.#wake = resolve;
    });
    bridge.hold(false);
  }

  #arouse() {
    this.#woken = true;
    this.#wake();
  }
}

/** Takes inputs from an iterable, in order, one chunk at a time. */
class Feeder {
  #stream;
  #source;
  #chunk;
  #fed;
  #turns = new Turns();
  #taken = 0;
  #feeding = false;
  #ended = false;
  #raised;

  /** `fed` is called after each chunk, and at the end. */
  constructor(stream, inputs, chunk, fed) {
    this.#stream = stream;
    this.#source = iteratorOf(inputs);
    // A text that has come is not to wait for one that may come late.
    this.#chunk = this.#source.later ? 1 : chunk;
    this.#fed = fed;
  }

  /** Feeds a chunk, unless one is on its way. */
  feed() {
    if (this.#feeding || this.#ended) {
      return;
    }
    this.#feeding = true;
    this.#pull()
      .catch((error) => this.#fail(error))
      .then(() => {
        this.#feeding = false;
        this.#fed();
      });
  }

  /** What the iterable threw comes after the batches of what it gave before. */
  rethrow() {
    if (this.#raised) {
      throw this.#raised.error;
    }
  }

  /** The iterable is told that no more is wanted of it. */
  close() {
    if (this.#ended) {
      return;
    }
    this.#ended = true;
    try {
      // What comes of it is of no interest to whoever has gone.
      Promise.resolve(this.#source.iterator.return?.()).catch(() => {});
    } catch {
      // As above.
    }
  }

  async #pull() {
    if (this.#turns.over) {
      await this.#turns.next();
    }
    const texts = [];
    try {
      while (texts.length < this.#chunk && !this.#ended) {
        const step = this.#source.iterator.next();
        const { done, value } = this.#source.later ? await step : step;
        if (done) {
          this.#ended = true;
        } else if (!this.#ended) {
          texts.push(this.#text(value));
        }
      }
    } catch (error) {
      this.#raised = { error };
      this.#ended = true;
    }
    this.#stream.feed(filled(texts));
    if (this.#ended) {
      this.#stream.end();
    }
  }

  /** A chunk could not be fed: the job ends with why, after the batches of what was fed before. */
  #fail(error) {
    this.close();
    this.#raised = { error };
    this.#stream.end();
  }

  #text(value) {
    try {
      const text = textOf('inputs', value, this.#taken);
      this.#taken += 1;
      return text;
    } catch (error) {
      this.close();
      throw error;
    }
  }
}

module.exports = { batches };
