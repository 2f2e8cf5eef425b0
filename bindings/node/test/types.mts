// The same package, by `import`.

import hedgerow, { CancelledError, PerformanceClient, version } from 'hedgerow';

const client: PerformanceClient = new hedgerow.PerformanceClient('http://127.0.0.1:8000');
const name: 'AbortError' = (null as unknown as CancelledError).name;
void [client, name, version];
