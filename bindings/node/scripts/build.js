'use strict';
// Builds the native half, and puts it beside the package: `node scripts/build.js [--debug]`.

const { execFileSync } = require('node:child_process');
const { copyFileSync, renameSync } = require('node:fs');
const { join } = require('node:path');
const { platform } = require('../lib/platform');

const PACKAGE = join(__dirname, '..');
const debug = process.argv.includes('--debug');

const options = { cwd: PACKAGE, encoding: 'utf8', maxBuffer: 1 << 28 };
const metadata = execFileSync('cargo', ['metadata', '--format-version', '1', '--no-deps'], options);
const target = JSON.parse(metadata).target_directory;

const build = ['build', '--package', 'hedgerow-node', ...(debug ? [] : ['--release'])];
execFileSync('cargo', build, { ...options, stdio: 'inherit' });

const library = {
  win32: 'hedgerow_node.dll',
  darwin: 'libhedgerow_node.dylib',
}[process.platform];
const built = join(target, debug ? 'debug' : 'release', library ?? 'libhedgerow_node.so');
const place = join(PACKAGE, `hedgerow.${platform()}.node`);
// A process may have the old one loaded, which is not to change under it.
copyFileSync(built, `${place}.new`);
renameSync(`${place}.new`, place);
console.log(place);
