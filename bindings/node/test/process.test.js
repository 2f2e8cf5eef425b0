'use strict';
// Processes and worker threads that end in mid-call, and those that should end or live on.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { join } = require('node:path');
const { test } = require('node:test');
const { useMock } = require('./support/mock');

const mock = useMock();

/** Runs a scene of child.js in a process of its own: how it ended, and after how long. */
function run(scene) {
  const began = performance.now();
  return new Promise((resolve) => {
    const child = join(__dirname, 'support/child.js');
    const options = { timeout: 60_000, killSignal: 'SIGKILL' };
    execFile(process.execPath, [child, mock.url, scene], options, (error, stdout, stderr) => {
      const { code = 0, signal = null } = error ?? {};
      resolve({ code, signal, stdout, stderr, took: performance.now() - began });
    });
  });
}

const noneInFlight = () =>
  mock.until((stats) => stats.in_flight === 0, 'the end of the requests');

for (const scene of ['idle', 'waiting', 'streaming', 'workers']) {
  test(`a_process_ends_after_its_calls_and_not_before_${scene}`, async () => {
    const ended = await run(scene);
    assert.deepEqual([ended.code, ended.signal, ended.stderr], [0, null, '']);
    assert.equal(ended.stdout, 'answered\n');
    await noneInFlight();
  });
}

for (const scene of ['exit', 'busy']) {
  test(`exit_in_mid_call_neither_crashes_nor_hangs_${scene}`, async () => {
    for (let round = 0; round < 4; round++) {
      const ended = await run(scene);
      assert.deepEqual([ended.code, ended.signal, ended.stderr], [3, null, '']);
      assert.ok(ended.took < 25_000);
    }
    await noneInFlight();
  });
}

test('an_uncaught_error_in_mid_call_ends_the_process', async () => {
  const ended = await run('thrown');
  assert.equal(ended.code, 1);
  assert.match(ended.stderr, /Error: thrown/);
  await noneInFlight();
});
