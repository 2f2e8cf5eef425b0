'use strict';
// What several tests have in common.

const KEY = 'sk-test-0123456789';

/** So many different texts. */
const texts = (count) => Array.from({ length: count }, (_, number) => `text ${number}`);

/** A header by which a request is answered so many milliseconds later. */
const late = (milliseconds) => ({ 'x-mock-latency-ms': String(milliseconds) });

/** A header by which a request meets a fault. */
const faulty = (fault) => ({ 'x-mock-fault': fault });

module.exports = { KEY, faulty, late, texts };
