'use strict';
// Every example of the README runs, as it stands there, but for the port of the mock.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { test } = require('node:test');
const { useMock } = require('./support/mock');

const PACKAGE = join(__dirname, '..');
const mock = useMock('--latency', 'fixed=1');
const readme = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);

assert.ok(examples.length >= 6);

examples.forEach((code, number) => {
  test(`example_${number + 1}_runs`, async () => {
    const here = code.replaceAll('http://127.0.0.1:8000', mock.url);
    const options = { cwd: PACKAGE, timeout: 60_000 };
    const output = await new Promise((resolve, reject) => {
      const args = ['--input-type=module', '--eval', here];
      execFile(process.execPath, args, options, (error, stdout, stderr) =>
        error ? reject(error) : resolve({ stdout, stderr }),
      );
    });
    assert.equal(output.stderr, '');
    assert.notEqual(output.stdout, '');
    // What a comment says of a line is what the line prints.
    for (const [, promised] of code.matchAll(/console\.log\(.*\); \/\/ (AbortError .*|HttpClientWrapper .*|\[ .*\]|the operation .*)$/gm)) {
      assert.ok(output.stdout.includes(promised), `${promised} is not in ${output.stdout}`);
    }
  });
});
