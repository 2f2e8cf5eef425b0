'use strict';
// What loading.test.js runs in processes of its own: `node loading.js URL SCENE`. The main thread loads
// the package last, or never.

const { readFileSync } = require('node:fs');
const { Worker, isMainThread, workerData } = require('node:worker_threads');

/** Loads the package, and makes a call with it where `url` is given. */
async function load(url) {
  const { PerformanceClient } = require('../..');
  if (url) {
    const texts = Array.from({ length: 300 }, (_, number) => `text ${number}`);
    const { shape } = await new PerformanceClient(url, 'key').embed(texts, 'm', { batchSize: 8 });
    if (shape[0] !== 300) {
      throw new Error(`${shape}`);
    }
  }
}

function inWorker(url) {
  const worker = new Worker(__filename, { workerData: { url } });
  return new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.on('exit', resolve);
  });
}

const scenes = {
  /** One worker after the other; the first has ended when the second one calls. */
  async workers(url) {
    for (let round = 0; round < 5; round++) {
      await inWorker(url);
    }
  },
  /** The first does nothing but load it. */
  async loaded(url) {
    await inWorker();
    await inWorker(url);
    await load(url);
  },
  async main(url) {
    await inWorker(url);
    await load(url);
    await Promise.all([inWorker(url), load(url), inWorker(url)]);
  },
  /** The code of threads that may still run stays where it is. */
  async kept(url) {
    await inWorker(url);
    await inWorker();
    const maps = readFileSync('/proc/self/maps', 'utf8');
    if (!/hedgerow\.[^\n]*\.node/.test(maps)) {
      throw new Error('it was unloaded');
    }
  },
};

if (isMainThread) {
  const [url, scene] = process.argv.slice(2);
  scenes[scene](url).then(() => console.log('works'));
} else {
  load(workerData.url);
}
