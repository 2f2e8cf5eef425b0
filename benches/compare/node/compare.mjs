// Compares hedgerow with other Node clients: `node benches/compare/node/compare.mjs`. Contenders run
// by turns, each run in a process of its own.

import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, type } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as contenders from './contenders.mjs';
import { report, summary } from './report.mjs';
import * as server from './server.mjs';
import * as works from './works.mjs';

/** `--quick` does one request in so many. */
const QUICK_SHARE = 8;
const HERE = new URL('.', import.meta.url).pathname;

const USAGE = `node benches/compare/node/compare.mjs
  --quick              1 round, an eighth of the requests
  --rounds N           5, or 1 with --quick
  --work NAME          only this work (may be repeated): ${works.ALL.map((work) => work.name).join(', ')}
  --only NAME          only this contender (may be repeated): ${Object.keys(contenders.ALL).join(', ')}
  --json FILE          the setting and every run
  --output FILE        the report
  --installed          use what is installed and built, as it is`;

const { values: args } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    work: { type: 'string', multiple: true, default: works.ALL.map((work) => work.name) },
    only: { type: 'string', multiple: true, default: Object.keys(contenders.ALL) },
    json: { type: 'string' },
    output: { type: 'string' },
    installed: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const unknown = [
  ...args.work.filter((name) => !works.named(name)),
  ...args.only.filter((name) => !contenders.ALL[name]),
];
const rounds = Number(args.rounds ?? (args.quick ? 1 : 5));
if (args.help || unknown.length > 0 || !(rounds >= 1)) {
  console.log(USAGE);
  process.exit(args.help ? 0 : 2);
}

if (!args.installed) {
  install();
}
const setting = {
  date: new Date().toISOString().slice(0, 10),
  versions: versions(),
  node: process.version,
  server: server.version(),
  system: `${type()} ${release()}, ${cpus().length} cores`,
  load: loadavg()[0],
  rounds,
  quick: args.quick,
};
const laps = [];
const nginx = await server.start();
try {
  for (let round = 0; round < rounds; round++) {
    // Another contender is first in each round.
    const first = round % args.only.length;
    const names = [...args.only.slice(first), ...args.only.slice(0, first)];
    for (const work of args.work.map(works.named)) {
      for (const name of names) {
        laps.push({ round, work: work.name, contender: name, ...(await run(work, name)) });
        console.error(summary(laps.at(-1)));
      }
    }
  }
} finally {
  nginx.stop();
}
console.log(report(setting, laps));
if (args.json) {
  writeFileSync(args.json, JSON.stringify({ setting, laps }, null, 1));
}
if (args.output) {
  writeFileSync(args.output, `${report(setting, laps)}\n`);
}

/** One contender at one work, in a process of its own. */
function run(work, name) {
  const { scaled, http2 } = contenders.ALL[name];
  const all = scaled ? work.scaled : work.requests;
  const requests = Math.floor(all / (args.quick ? QUICK_SHARE : 1));
  const child = [join(HERE, 'span.mjs'), name, work.name, nginx.url(work, http2)];
  const command = [...child, String(requests), String(nginx.pid)];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, stdout, stderr) => {
      if (!error) {
        resolve({ cost: JSON.parse(stdout) });
        return;
      }
      const lines = stderr.split('\n');
      const told = lines.find((line) => /^(\w*Error|FATAL)\b/.test(line)) ?? lines.at(-1);
      resolve({ failure: told.slice(0, 160) || `ended by ${error.signal ?? error.code}` });
    });
  });
}

function install() {
  console.error(`installing the contenders into ${contenders.INSTALLED}`);
  mkdirSync(contenders.INSTALLED, { recursive: true });
  copyFileSync(join(HERE, 'package.json'), join(contenders.INSTALLED, 'package.json'));
  const npm = (cwd, ...command) => execFileSync('npm', command, { cwd, stdio: ['ignore', 2, 2] });
  npm(contenders.INSTALLED, 'install', '--no-package-lock', '--no-audit', '--no-fund');
  npm(contenders.PACKAGE, 'ci', '--no-audit', '--no-fund');
  npm(contenders.PACKAGE, 'run', 'build');
}

function versions() {
  const version = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
  const built = readdirSync(contenders.PACKAGE).some((file) => file.endsWith('.node'));
  if (!built) {
    throw new Error('the native half is not built: leave --installed out');
  }
  const other = '@basetenlabs/performance-client';
  const installed = version(join(contenders.INSTALLED, 'node_modules', other));
  return `hedgerow ${version(contenders.PACKAGE)}, ${other} ${installed}, fetch (undici ${process.versions.undici ?? 'of Node'})`;
}
