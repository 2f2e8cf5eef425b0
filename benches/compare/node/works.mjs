// The works: what is asked, and the canned answer, the same for every contender.

const SEED = 0x6865_6467;
/** What is looked at in the answer to a post. */
export const POST_TOKENS = 7;

/**
 * `requests` is what a contender does, `scaled` what fetch does, so that a round does not wait for
 * it alone; `window` requests are in flight at once, `batch` inputs in each.
 */
export const ALL = [
  {
    name: 'floats',
    title: '131,072 texts, 128 a request, 1,024 floats each',
    requests: 1024,
    scaled: 128,
    window: 128,
    path: '/v1/embeddings',
    batch: 128,
    dimensions: 1024,
    encodingFormat: 'float',
  },
  {
    name: 'base64',
    title: 'the same, in base64',
    requests: 1024,
    scaled: 256,
    window: 128,
    path: '/v1/embeddings',
    batch: 128,
    dimensions: 1024,
    encodingFormat: 'base64',
  },
  {
    name: 'single',
    title: '50,000 texts, 1 a request, 8 floats each',
    requests: 50_000,
    scaled: 20_000,
    window: 256,
    path: '/v1/embeddings',
    batch: 1,
    dimensions: 8,
    encodingFormat: 'float',
  },
  {
    name: 'post',
    title: '50,000 small posts, each answer looked at',
    requests: 50_000,
    scaled: 20_000,
    window: 256,
    path: '/v1/post',
    batch: 1,
    dimensions: 0,
  },
];

export const named = (name) => ALL.find((work) => work.name === name);

/** The texts to embed, or the payloads to post, of so many requests. */
export function inputsOf(work, requests) {
  const texts = Array.from({ length: requests * work.batch }, (_, number) => `text ${number}`);
  return work.dimensions ? texts : texts.map((input) => ({ model: 'm', input }));
}

/** What every contender must have read from an answer: rows of length 1. */
export function rowsOf(work) {
  const rows = new Float32Array(work.batch * work.dimensions);
  let state = SEED;
  for (let start = 0; start < rows.length; start += work.dimensions) {
    const row = rows.subarray(start, start + work.dimensions);
    for (let at = 0; at < row.length; at++) {
      // A linear congruential generator does: only the digits matter.
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      row[at] = state / 2 ** 31 - 1;
    }
    const length = Math.hypot(...row);
    row.forEach((value, at) => (row[at] = value / length));
  }
  return rows;
}

/** The canned answer; floats in the shortest form that reads back the same. */
export function answerOf(work) {
  if (work.dimensions === 0) {
    return JSON.stringify({ flagged: false, score: 0.25, tokens: POST_TOKENS });
  }
  const rows = rowsOf(work);
  const data = Array.from({ length: work.batch }, (_, index) => {
    const row = rows.subarray(index * work.dimensions, (index + 1) * work.dimensions);
    const embedding =
      work.encodingFormat === 'base64'
        ? JSON.stringify(Buffer.from(row.slice().buffer).toString('base64'))
        : `[${Array.from(row, shortest).join()}]`;
    return `{"object":"embedding","index":${index},"embedding":${embedding}}`;
  });
  const tokens = 3 * work.batch;
  const usage = `{"prompt_tokens":${tokens},"total_tokens":${tokens}}`;
  return `{"object":"list","data":[${data}],"model":"m","usage":${usage}}`;
}

function shortest(value) {
  for (let digits = 6; ; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) {
      return String(Number(text));
    }
  }
}
