'use strict';
// The package survives every way of being loaded: by worker threads that end, before the main thread.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { test } = require('node:test');
const { useMock } = require('./support/mock');

const mock = useMock();

/** Runs a scene of loading.js in a process of its own. */
function run(scene) {
  const child = join(__dirname, 'support/loading.js');
  return new Promise((resolve) => {
    execFile(process.execPath, [child, mock.url, scene], (error, stdout, stderr) => {
      const { code = 0, signal = null } = error ?? {};
      resolve({ code, signal, stdout, stderr });
    });
  });
}

for (const scene of ['workers', 'loaded', 'main', 'kept']) {
  const skip = scene === 'kept' && !existsSync('/proc/self/maps');
  test(`a_worker_that_has_ended_may_have_loaded_it_${scene}`, { skip }, async () => {
    // What a thread leaves behind is used again by chance: once is not enough.
    for (let round = 0; round < 4; round++) {
      assert.deepEqual(await run(scene), { code: 0, signal: null, stdout: 'works\n', stderr: '' });
    }
  });
}
