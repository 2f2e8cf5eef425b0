// What the types allow, and what they refuse. It is checked by tsc, and never run.

import {
  ArgumentError,
  CancellationToken,
  HTTPError,
  HedgerowError,
  HttpClientWrapper,
  PerformanceClient,
  RequestProcessingPreference,
} from 'hedgerow';

async function calls(texts: readonly string[], signal: AbortSignal): Promise<void> {
  const wrapper = new HttpClientWrapper();
  const client = new PerformanceClient('http://127.0.0.1:8000', 'key', 1, wrapper, null, undefined);
  new PerformanceClient('http://127.0.0.1:8000', { apiKey: 'key', clientWrapper: wrapper });
  new PerformanceClient('http://127.0.0.1:8000', { httpVersion: 2, proxy: 'http://127.0.0.1:3128' });
  const version: 1 | 2 = new HttpClientWrapper(2, 'http://127.0.0.1:3128').httpVersion;

  const preference = new RequestProcessingPreference(128, 64, undefined, 30, 'p95');
  new RequestProcessingPreference({ batchSize: 3, cancelToken: new CancellationToken() });
  preference.extraHeaders = new Map([['a', 'b']]);
  preference.hedgeDelay = 0.5;

  const embeddings = await client.embed(texts, 'm', 'float', 256, null, preference);
  const floats: Float32Array = embeddings.float32();
  const numbers: number[] = embeddings.data[0]!.embedding;
  const [inputs, dimensions]: [number, number] = embeddings.shape;
  await client.embed(texts, 'm', { preference, signal, onError: 'return', encodingFormat: 'base64' });
  await client.embed(texts, 'm', preference);

  const best: number = (await client.rerank('q', texts, { returnText: true })).sorted()[0]!.index;
  await client.rerank('q', texts, false, 'm', true, false, 'Right', { batchSize: 2 });
  const label: string = (await client.classify(texts)).data[0]![0]!.label;

  const posts = await client.batchPost<{ ok: boolean }>('/x', [{ a: 1 }], preference, { 'x-a': 'b' }, 'PUT');
  const ok: boolean = posts.data[0]!.ok;
  await client.batchPost('/x', [1], { 'x-a': 'b' }, 'GET', { batchSize: 3 });
  await client.batchPost('/x', [1], { method: 'PUT', customHeaders: { a: 'b' }, timeoutS: 3 });

  async function* lines(): AsyncGenerator<string> {
    yield 'one';
  }
  for await (const batch of client.embedIter(lines(), 'm', { inOrder: true, onProgress: (p) => void p.done })) {
    const range: [number, number] = [batch.start, batch.end];
    void range;
  }

  // @ts-expect-error a list is wanted
  await client.embed('one', 'm');
  // @ts-expect-error there is no such setting
  await client.embed(texts, 'm', { batchsize: 3 });
  // @ts-expect-error methods are in upper case
  await client.batchPost('/x', [1], null, null, 'post');
  // @ts-expect-error responses are not made by hand
  new (await import('hedgerow')).RerankResponse();
  void [floats, numbers, inputs, dimensions, best, label, ok, version];
}

function failures(error: unknown): string {
  if (error instanceof HTTPError) {
    return `${error.status} ${error.body} ${error.requestId} ${error.headers['retry-after']}`;
  }
  if (error instanceof ArgumentError) {
    return error.field;
  }
  return error instanceof HedgerowError ? `${error.partial?.errors.length}` : '';
}

void [calls, failures];
