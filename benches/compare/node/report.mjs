// What the runs say: ratios within rounds, with their spread, as a table for each work.

import * as works from './works.mjs';

/** Ratios are to this contender. */
const REFERENCE = 'hedgerow';
/** With fewer rounds, a ratio is not to be quoted. */
const FEWEST_ROUNDS = 5;

const METRICS = [
  ['wall us/request', (cost) => (cost.wall_s / cost.requests) * 1e6, 1],
  ['CPU us/request', (cost) => (cost.cpu_s / cost.requests) * 1e6, 1],
  ['memory MiB', (cost) => (cost.peak_bytes - cost.baseline_bytes) / 2 ** 20, 0],
  ['longest stall ms', (cost) => cost.stall_ms, 0],
];

/** A lap as a line of the progress. */
export function summary({ round, work, contender, cost, failure }) {
  const where = `round ${round + 1}, ${work}, ${contender}`;
  return cost
    ? `${where}: ${cost.requests} requests in ${cost.wall_s.toFixed(2)} s, ${cost.cpu_s.toFixed(2)} s of CPU`
    : `${where}: ${failure}`;
}

export function report(setting, laps) {
  const { date, versions, node, server, system, load, rounds } = setting;
  const few = rounds < FEWEST_ROUNDS ? ' (too few to quote)' : '';
  const lines = [
    `${date}: ${versions}; Node ${node}, ${server}.`,
    `${system}, load ${load.toFixed(1)} at the start; interleaved rounds: ${rounds}${few}.`,
    'Medians; ratios are to hedgerow in the same round: median (least-most). Memory is the peak over',
    'what was resident before the first request, for all requests of the run.',
  ];
  for (const work of works.ALL.filter(({ name }) => laps.some((lap) => lap.work === name))) {
    lines.push('', `## ${work.name}: ${work.title}`, '');
    lines.push(`| contender | requests | ${METRICS.map(([name]) => `${name} | ratio`).join(' | ')} | nginx busy |`);
    lines.push(`|---${'|---:'.repeat(2 * METRICS.length + 2)}|`);
    const own = laps.filter((lap) => lap.work === work.name);
    for (const contender of new Set(own.map((lap) => lap.contender))) {
      lines.push(row(own, contender));
    }
  }
  return lines.join('\n');
}

function row(laps, contender) {
  const own = laps.filter((lap) => lap.contender === contender && lap.cost);
  if (own.length === 0) {
    const { failure } = laps.find((lap) => lap.contender === contender);
    return `| ${contender} | | ${failure} |${' |'.repeat(2 * METRICS.length)}`;
  }
  const requests = own[0].cost.requests;
  const cells = METRICS.map(([name, metric, digits]) => {
    const values = own.map(({ cost }) => metric(cost));
    const ratios = own.flatMap(({ round, cost }) => {
      const reference = laps.find((lap) => lap.contender === REFERENCE && lap.round === round)?.cost;
      // A whole run's memory and stalls compare only where it was the same run.
      const alike = reference && (name.endsWith('request') || reference.requests === requests);
      return alike ? [metric(cost) / metric(reference)] : [];
    });
    return `${median(values).toFixed(digits)} | ${spread(ratios)}`;
  });
  const busy = own.map(({ cost }) => cost.server_cpu_s / cost.wall_s);
  return `| ${contender} | ${requests} | ${cells.join(' | ')} | ${(median(busy) * 100).toFixed(0)} % |`;
}

function spread(ratios) {
  if (ratios.length === 0) {
    return '';
  }
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2));
  return `${median(ratios).toFixed(2)} (${least}-${most})`;
}

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}
