// The types of the package, for `import`.

export * from './index.js';
import * as hedgerow from './index.js';
export default hedgerow;
