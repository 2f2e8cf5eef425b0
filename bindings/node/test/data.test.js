'use strict';
// `response.data` is an array to everyone who asks.

const assert = require('node:assert/strict');
const { inspect } = require('node:util');
const { test } = require('node:test');
const { lazyArray } = require('../lib/lazy');
const { unpack } = require('../lib/msgpack');

/** An array of squares, and how many of them were made. */
function squares(length, block = 3) {
  const made = { count: 0 };
  const make = (start, end) => {
    made.count += end - start;
    return Array.from({ length: end - start }, (_, at) => (start + at) ** 2);
  };
  return [lazyArray(length, block, make), made];
}

const PLAIN = [0, 1, 4, 9, 16, 25, 36];

test('items_are_made_when_they_are_looked_at', () => {
  const [data, made] = squares(1000);
  assert.equal(data.length, 1000);
  assert.equal(made.count, 0);
  assert.equal(data[500], 250_000);
  assert.equal(data[500], 250_000);
  assert.equal(made.count, 3);
  assert.equal(data.at(-1), 998_001);
  assert.equal(data[1000], undefined);
  assert.equal(data[-1], undefined);
  assert.equal(data['1.5'], undefined);
});

test('it_is_an_array_to_everyone_who_asks', () => {
  const lists = [
    (data) => [...data],
    (data) => data.slice(),
    (data) => data.map((it) => it),
    (data) => data.filter(() => true),
    (data) => data.concat(),
    (data) => [].concat(data),
    (data) => Array.from(data),
    (data) => JSON.parse(JSON.stringify(data)),
    (data) => Object.values(data),
    (data) => Object.entries(data).map(([, value]) => value),
    (data) => data.reduce((list, it) => [...list, it], []),
    (data) => structuredClone([...data]),
    (data) => {
      const list = [];
      for (const at in data) list.push(data[at]);
      return list;
    },
    (data) => {
      const list = [];
      data.forEach((it) => list.push(it));
      return list;
    },
    (data) => Object.assign([], data),
    (data) => data.toString().split(',').map(Number),
  ];
  for (const list of lists) {
    assert.deepStrictEqual(list(squares(7)[0]), PLAIN, list.toString());
  }
  assert.ok(Array.isArray(squares(7)[0]));
  assert.ok(squares(7)[0] instanceof Array);
  assert.deepStrictEqual(squares(7)[0], PLAIN);
  assert.ok(3 in squares(7)[0]);
  assert.ok(Object.hasOwn(squares(7)[0], 6));
  assert.equal(squares(7)[0].indexOf(25), 5);
  assert.ok(squares(7)[0].includes(36));
  assert.deepStrictEqual(squares(0)[0], []);
});

test('it_can_be_changed', () => {
  const changes = [
    (data) => data.push(1),
    (data) => data.pop(),
    (data) => data.shift(),
    (data) => data.unshift(9),
    (data) => data.reverse(),
    (data) => data.sort((one, other) => other - one),
    (data) => data.splice(2, 3, 'x'),
    (data) => data.fill(0),
    (data) => (data.length = 2),
    (data) => (data[3] = 'x'),
    (data) => delete data[3],
    (data) => Object.freeze(data),
  ];
  for (const change of changes) {
    const [data] = squares(7);
    const plain = [...PLAIN];
    change(data);
    change(plain);
    assert.deepStrictEqual(data, plain, change.toString());
  }
});

test('console_log_shows_what_it_would_of_an_array', () => {
  assert.equal(inspect(squares(7)[0]), inspect(PLAIN));
  const [long, made] = squares(1000);
  const shown = inspect(long);
  assert.match(shown, /900 more items/);
  assert.ok(made.count <= 102, `${made.count} made`);
});

test('message_pack_of_every_form_is_read', () => {
  const bytes = (...parts) => Buffer.from(parts.flat());
  const text = (length, ...head) => bytes(head, Array(length).fill(0x61));
  const cases = [
    [bytes(0x7f), 127],
    [bytes(0xff), -1],
    [bytes(0xe0), -32],
    [bytes(0xc0), null],
    [bytes(0xc2), false],
    [bytes(0xc3), true],
    [bytes(0xcc, 200), 200],
    [bytes(0xcd, 1, 0), 256],
    [bytes(0xce, 0, 1, 0, 0), 65_536],
    [bytes(0xcf, 0, 0, 0, 1, 0, 0, 0, 0), 4_294_967_296],
    [bytes(0xcf, Array(8).fill(255)), 18_446_744_073_709_551_615n],
    [bytes(0xd0, 0x80), -128],
    [bytes(0xd1, 0x80, 0), -32_768],
    [bytes(0xd2, 0x80, 0, 0, 0), -2_147_483_648],
    [bytes(0xd3, 0x80, Array(7).fill(0)), -9_223_372_036_854_775_808n],
    [bytes(0xca, 0x3f, 0x80, 0, 0), 1],
    [bytes(0xcb, 0x3f, 0xf8, Array(6).fill(0)), 1.5],
    [text(3, 0xa3), 'aaa'],
    [text(40, 0xd9, 40), 'a'.repeat(40)],
    [text(300, 0xda, 1, 44), 'a'.repeat(300)],
    [text(3, 0xdb, 0, 0, 0, 3), 'aaa'],
    [bytes(0xc4, 2, 1, 2), Buffer.from([1, 2])],
    [bytes(0xc5, 0, 2, 1, 2), Buffer.from([1, 2])],
    [bytes(0xc6, 0, 0, 0, 2, 1, 2), Buffer.from([1, 2])],
    [bytes(0x92, 1, 2), [1, 2]],
    [bytes(0xdc, 0, 2, 1, 2), [1, 2]],
    [bytes(0xdd, 0, 0, 0, 1, 7), [7]],
    [bytes(0x82, 0xa1, 0x61, 1, 2, 3), { a: 1, 2: 3 }],
    [bytes(0xde, 0, 1, 0xa1, 0x61, 1), { a: 1 }],
    [bytes(0xdf, 0, 0, 0, 1, 0xa1, 0x61, 1), { a: 1 }],
    [bytes(0xd4, 5, 9), { type: 5, data: Buffer.from([9]) }],
    [bytes(0xd5, 5, 9, 9), { type: 5, data: Buffer.from([9, 9]) }],
    [bytes(0xc7, 1, 0xff, 9), { type: -1, data: Buffer.from([9]) }],
  ];
  for (const [packed, value] of cases) {
    assert.deepStrictEqual(unpack(packed), value, packed.toString('hex'));
  }
  const proto = unpack(bytes(0x81, 0xa9, [...Buffer.from('__proto__')], 1));
  assert.deepEqual(Object.keys(proto), ['__proto__']);
  assert.equal(Object.getPrototypeOf(proto), Object.prototype);
  assert.throws(() => unpack(bytes(Array(1000).fill(0x91), 1)), RangeError);
  assert.throws(() => unpack(bytes(0xda, 1)), RangeError);
  assert.throws(() => unpack(bytes(0xc1)), RangeError);
});
