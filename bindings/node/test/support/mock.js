'use strict';
// A mock inference server of one test file: `batchbench mock`, in a process of its own.

const { execFileSync, spawn } = require('node:child_process');
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { createInterface } = require('node:readline');
const { after, before, beforeEach } = require('node:test');

const ROOT = join(__dirname, '../../../..');

/** The binary, which `make test-node` has built; else it is built now. */
function binary() {
  if (process.env.BATCHBENCH) {
    return process.env.BATCHBENCH;
  }
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, 'target');
  const path = join(target, 'debug/batchbench');
  if (!existsSync(path)) {
    const build = ['build', '--quiet', '--features', 'cli', '--bin', 'batchbench'];
    execFileSync('cargo', build, { cwd: ROOT, stdio: 'inherit' });
  }
  return path;
}

/** Runs a mock around the tests of a file. Each test begins without rules and with empty counts. */
function useMock(...args) {
  const mock = new Mock();
  before(() => mock.start(args));
  beforeEach(() => mock.reset());
  after(() => mock.stop());
  return mock;
}

class Mock {
  async start(args) {
    this.child = spawn(binary(), ['mock', '--port', '0', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: this.child.stdout })) {
      const url = /http:\S+/.exec(line)?.[0];
      if (url) {
        this.url = url;
        return;
      }
    }
    throw new Error('the mock did not start');
  }

  stop() {
    this.child.kill();
  }

  async reset() {
    await fetch(`${this.url}/mock/rules`, { method: 'DELETE' });
    await fetch(`${this.url}/stats`, { method: 'DELETE' });
  }

  /** Adds rules: what goes wrong, for whom and how often. */
  async rules(...rules) {
    const answer = await fetch(`${this.url}/mock/rules`, {
      method: 'POST',
      body: JSON.stringify(rules),
    });
    if (!answer.ok) {
      throw new Error(await answer.text());
    }
  }

  async stats() {
    return (await fetch(`${this.url}/stats`)).json();
  }

  /** The counts, once `is` holds of them. */
  async until(is, what) {
    const deadline = performance.now() + 30_000;
    for (;;) {
      const stats = await this.stats();
      if (is(stats)) {
        return stats;
      }
      if (performance.now() > deadline) {
        throw new Error(`${what} did not come about: ${JSON.stringify(stats)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

module.exports = { useMock };
