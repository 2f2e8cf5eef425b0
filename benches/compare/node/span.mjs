// The child's side: warms up, measures one span, checks the result, and prints what it cost.
// `node span.mjs CONTENDER WORK URL REQUESTS SERVER_PID`

import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { ALL } from './contenders.mjs';
import { POST_TOKENS, inputsOf, named, rowsOf } from './works.mjs';

const WARM_UP_REQUESTS = 8;

const [contender, workName, url, count, serverPid] = process.argv.slice(2);
const work = named(workName);
const requests = Number(count);
const client = ALL[contender].make(url);
const go = (inputs) => (work.dimensions ? client.embed(work, inputs) : client.post(work, inputs));

const inputs = inputsOf(work, requests);
const baseline = memory('VmRSS');
await go(inputs.slice(0, WARM_UP_REQUESTS * work.batch));
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
const server = cpuOf(serverPid);
const cpu = process.cpuUsage();
const began = performance.now();
const result = await go(inputs);
const wall = performance.now() - began;
const { user, system } = process.cpuUsage(cpu);
const serverCpu = cpuOf(serverPid) - server;
// The timer that measures has a turn, to see how long it was kept waiting.
await new Promise((resolve) => setTimeout(resolve, 5));
delay.disable();
const cost = {
  requests,
  wall_s: wall / 1e3,
  cpu_s: (user + system) / 1e6,
  peak_bytes: memory('VmHWM'),
  baseline_bytes: baseline,
  stall_ms: delay.max / 1e6,
  server_cpu_s: serverCpu,
};
check(result);
console.log(JSON.stringify(cost));
process.exit();

/** Throws where the result is not what the canned answers hold. */
function check(result) {
  let right = result === requests * POST_TOKENS;
  if (work.dimensions) {
    const rows = Buffer.from(rowsOf(work).buffer);
    right = result instanceof Float32Array && result.byteLength === rows.length * requests;
    const bytes = Buffer.from(result.buffer, result.byteOffset, result.byteLength);
    for (let at = 0; right && at < bytes.length; at += rows.length) {
      right = rows.equals(bytes.subarray(at, at + rows.length));
    }
  }
  if (!right) {
    throw new Error('the result is not what the server sent');
  }
}

function cpuOf(pid) {
  // In nanoseconds; /proc/PID/stat counts ticks, and misses what is shorter.
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
}

function memory(name) {
  const line = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(line[1]) * 1024;
}
