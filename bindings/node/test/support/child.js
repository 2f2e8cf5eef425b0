'use strict';
// What process.test.js runs in processes of its own: `node child.js URL SCENE`.

const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const { PerformanceClient } = require('../..');

const late = { extraHeaders: { 'x-mock-latency-ms': '30000' }, batchSize: 1 };
const texts = Array.from({ length: 64 }, (_, number) => `text ${number}`);

const scenes = {
  /** An idle client keeps nobody. */
  async idle(client) {
    await client.embed(['a'], 'm');
    console.log('answered');
  },
  /** Nothing but the call is alive. */
  waiting(client) {
    const preference = { extraHeaders: { 'x-mock-latency-ms': '300' } };
    client.embed(['a'], 'm', preference).then(() => console.log('answered'));
  },
  /** Nothing but the stream is alive. */
  streaming(client) {
    const options = { extraHeaders: { 'x-mock-latency-ms': '300' } };
    client.embedIter(['a'], 'm', options).next().then(() => console.log('answered'));
  },
  exit(client) {
    client.embed(texts, 'm', late);
    client.batchPost('/echo', texts, late);
    setTimeout(() => process.exit(3), 300);
  },
  thrown(client) {
    client.embed(texts, 'm', late);
    setTimeout(() => {
      throw new Error('thrown');
    }, 300);
  },
  /** Answers come in while the process goes. */
  async busy(client) {
    setTimeout(() => process.exit(3), 300);
    for (;;) {
      await Promise.all(texts.map((text) => client.embed([text], 'm')));
    }
  },
  /** Workers that end, and are ended, in mid-call; then others, and a call of the main thread. */
  async workers(client, url) {
    for (let round = 0; round < 3; round++) {
      const ends = ['terminate', 'exit', 'busy', 'done'].map((end) => {
        const worker = new Worker(__filename, { workerData: { url, end } });
        return new Promise((resolve, reject) => {
          worker.on('error', reject);
          worker.on('exit', resolve);
          worker.on('message', () => worker.terminate());
        });
      });
      await Promise.all(ends);
    }
    await client.embed(['a'], 'm');
    console.log('answered');
  },
};

async function work({ url, end }) {
  const client = new PerformanceClient(url, 'key');
  await client.embed(['a'], 'm');
  if (end === 'done') {
    return;
  }
  if (end === 'busy') {
    setTimeout(() => parentPort.postMessage('end me'), 200);
    for (;;) {
      await Promise.all(texts.map((text) => client.embed([text], 'm')));
    }
  }
  client.embed(texts, 'm', late);
  setTimeout(() => (end === 'exit' ? process.exit(0) : parentPort.postMessage('end me')), 100);
}

if (isMainThread) {
  const [url, scene] = process.argv.slice(2);
  Promise.resolve(scenes[scene](new PerformanceClient(url, 'key'), url)).catch((error) => {
    console.error(error);
    process.exitCode = 9;
  });
} else {
  work(workerData);
}
