'use strict';
// An array whose items are made when they are first looked at.

const { inspect } = require('node:util');

/**
 * An array of `length` items; `make(start, end)` makes some of them, `block` at a time. It is an
 * array to everyone who asks (`Array.isArray`, `for of`, `map`, `JSON.stringify`, `console.log`,
 * `assert.deepStrictEqual`); only `structuredClone` refuses it, as it does any proxy.
 */
function lazyArray(length, block, make) {
  const target = new Array(length);
  const made = new Uint8Array(Math.ceil(length / block));
  let left = made.length;

  function load(number) {
    if (made[number]) {
      return;
    }
    const start = number * block;
    const end = Math.min(start + block, length);
    const items = make(start, end);
    for (let at = start; at < end; at++) {
      target[at] = items[at - start];
    }
    made[number] = 1;
    left -= 1;
  }

  function loadAll() {
    for (let number = 0; left > 0; number++) {
      load(number);
    }
  }

  /** Makes what a look at `key` would find. */
  function look(key) {
    if (left === 0 || typeof key !== 'string') {
      return;
    }
    const first = key.charCodeAt(0);
    if (first < 48 || first > 57) {
      return;
    }
    const at = Number(key);
    if (Number.isInteger(at) && at < length) {
      load(Math.floor(at / block));
    }
  }

  /** Before the array itself is changed: from there on it is a plain one. */
  function change(key) {
    if (key === 'length') {
      loadAll();
    } else {
      look(key);
    }
  }

  const array = new Proxy(target, {
    get(_, key) {
      look(key);
      return target[key];
    },
    set(_, key, value) {
      change(key);
      return Reflect.set(target, key, value);
    },
    has(_, key) {
      return key in target || (look(key), key in target);
    },
    deleteProperty(_, key) {
      change(key);
      return Reflect.deleteProperty(target, key);
    },
    defineProperty(_, key, descriptor) {
      change(key);
      return Reflect.defineProperty(target, key, descriptor);
    },
    getOwnPropertyDescriptor(_, key) {
      look(key);
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
    ownKeys() {
      loadAll();
      return Reflect.ownKeys(target);
    },
    preventExtensions() {
      loadAll();
      return Reflect.preventExtensions(target);
    },
  });

  // `console.log` looks behind a proxy. It shows the first hundred.
  Object.defineProperty(target, inspect.custom, {
    value(_depth, options) {
      const shown = Math.min(target.length, options.maxArrayLength ?? Infinity);
      const items = array.slice(0, shown);
      items.length = target.length;
      return items;
    },
    configurable: true,
    writable: true,
  });
  return array;
}

module.exports = { lazyArray };
