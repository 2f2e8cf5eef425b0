// The contenders: each does a work in the way that its documentation shows. `embed` gives one
// Float32Array, a row a text; `post` the sum of the tokens that the answers name.

import { createRequire } from 'node:module';
import { join } from 'node:path';

const ROOT = new URL('../../..', import.meta.url).pathname;
/** Where the packages of the others are installed. */
export const INSTALLED = join(ROOT, 'target/compare-node');
export const PACKAGE = join(ROOT, 'bindings/node');

const KEY = 'none';
const MODEL = 'm';

/** One call for all. */
function hedgerow(url) {
  const { PerformanceClient } = createRequire(import.meta.url)(PACKAGE);
  const client = new PerformanceClient(url, KEY);
  const preference = (work) => ({ maxConcurrentRequests: work.window, batchSize: work.batch });
  return {
    async embed(work, texts) {
      const { encodingFormat } = work;
      const options = { encodingFormat, ...preference(work) };
      return (await client.embed(texts, MODEL, options)).float32();
    },
    async post(work, payloads) {
      const { data } = await client.batchPost(work.path, payloads, preference(work));
      return data.reduce((sum, answer) => sum + answer.tokens, 0);
    },
  };
}

/** The same calls. It speaks HTTP/2 to clear-text servers, and nothing else. */
function baseten(url) {
  const require = createRequire(join(INSTALLED, 'package.json'));
  const { PerformanceClient } = require('@basetenlabs/performance-client');
  const client = new PerformanceClient(url, KEY);
  return {
    async embed(work, texts) {
      const { encodingFormat, window, batch, dimensions } = work;
      const response = await client.embed(texts, MODEL, encodingFormat, null, null, window, batch);
      const matrix = new Float32Array(texts.length * dimensions);
      response.data.forEach((item, at) => matrix.set(item.embedding, at * dimensions));
      return matrix;
    },
    async post(work, payloads) {
      const { data } = await client.batchPost(work.path, payloads, work.window);
      return data.reduce((sum, answer) => sum + answer.tokens, 0);
    },
  };
}

/** Node's own `fetch`, which is undici: as many loops as requests may be in flight. */
function fetching(url) {
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  async function ask(path, body) {
    const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) {
      throw new Error(`${answer.status} ${await answer.text()}`);
    }
    return answer.json();
  }
  async function each(count, window, request) {
    let next = 0;
    const loop = async () => {
      while (next < count) {
        await request(next++);
      }
    };
    await Promise.all(Array.from({ length: window }, loop));
  }
  return {
    async embed(work, texts) {
      const { batch, dimensions, encodingFormat: encoding_format } = work;
      const matrix = new Float32Array(texts.length * dimensions);
      await each(texts.length / batch, work.window, async (number) => {
        const input = texts.slice(number * batch, (number + 1) * batch);
        const { data } = await ask(work.path, { input, model: MODEL, encoding_format });
        for (const { index, embedding } of data) {
          const row = typeof embedding === 'string' ? floatsOf(embedding) : embedding;
          matrix.set(row, (number * batch + index) * dimensions);
        }
      });
      return matrix;
    },
    async post(work, payloads) {
      let sum = 0;
      await each(payloads.length, work.window, async (number) => {
        const { tokens } = await ask(work.path, payloads[number]);
        sum += tokens;
      });
      return sum;
    },
  };
}

function floatsOf(base64) {
  const bytes = Buffer.from(base64, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Each by its name: what makes it, whether it does a share of the requests, how it is spoken to. */
export const ALL = {
  hedgerow: { make: hedgerow },
  baseten: { make: baseten, http2: true },
  fetch: { make: fetching, scaled: true },
};
