'use strict';
// MessagePack to JavaScript: maps to objects, `bin` to Buffer, integers beyond 2^53 to BigInt.

/** As deep as the core reads. */
const DEEPEST = 512;

/** Reads a whole value; the core has checked that it is whole. */
function unpack(buffer) {
  return new Reader(buffer).value(0);
}

class Reader {
  #buffer;
  #view;
  #at = 0;

  constructor(buffer) {
    this.#buffer = buffer;
    this.#view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  value(depth) {
    if (depth > DEEPEST) {
      throw new RangeError(`MessagePack nested deeper than ${DEEPEST} levels`);
    }
    const marker = this.#view.getUint8(this.#at++);
    if (marker < 0x80) return marker;
    if (marker < 0x90) return this.#map(marker & 0x0f, depth);
    if (marker < 0xa0) return this.#array(marker & 0x0f, depth);
    if (marker < 0xc0) return this.#string(marker & 0x1f);
    if (marker >= 0xe0) return marker - 0x100;
    switch (marker) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#bytes(this.#length(marker - 0xc4));
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#length(marker - 0xc7));
      case 0xca:
        return this.#number(4, 'getFloat32');
      case 0xcb:
        return this.#number(8, 'getFloat64');
      case 0xcc:
        return this.#number(1, 'getUint8');
      case 0xcd:
        return this.#number(2, 'getUint16');
      case 0xce:
        return this.#number(4, 'getUint32');
      case 0xcf:
        return exact(this.#number(8, 'getBigUint64'));
      case 0xd0:
        return this.#number(1, 'getInt8');
      case 0xd1:
        return this.#number(2, 'getInt16');
      case 0xd2:
        return this.#number(4, 'getInt32');
      case 0xd3:
        return exact(this.#number(8, 'getBigInt64'));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#extension(1 << (marker - 0xd4));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#string(this.#length(marker - 0xd9));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#length(marker - 0xdb), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#length(marker - 0xdd), depth);
      default:
        throw new RangeError(`the byte ${marker.toString(16)} begins no value`);
    }
  }

  #number(size, read) {
    const value = this.#view[read](this.#at);
    this.#at += size;
    return value;
  }

  /** A length of 1, 2 or 4 bytes, which `power` says as a power of two. */
  #length(power) {
    return this.#number(1 << power, ['getUint8', 'getUint16', 'getUint32'][power]);
  }

  #take(length) {
    const start = this.#at;
    if (start + length > this.#buffer.length) {
      throw new RangeError('MessagePack that ends early');
    }
    this.#at += length;
    return this.#buffer.subarray(start, this.#at);
  }

  #string(length) {
    return this.#take(length).toString('utf8');
  }

  /** A copy, so that a few bytes do not keep a whole answer. */
  #bytes(length) {
    return Buffer.from(this.#take(length));
  }

  #extension(length) {
    const type = this.#number(1, 'getInt8');
    return { type, data: this.#bytes(length) };
  }

  #array(length, depth) {
    const array = [];
    for (let at = 0; at < length; at++) {
      array.push(this.value(depth + 1));
    }
    return array;
  }

  #map(length, depth) {
    const map = {};
    for (let at = 0; at < length; at++) {
      const key = this.value(depth + 1);
      const name = typeof key === 'object' && key !== null ? JSON.stringify(key) : String(key);
      const value = this.value(depth + 1);
      if (name === '__proto__') {
        Object.defineProperty(map, name, {
          value,
          enumerable: true,
          writable: true,
          configurable: true,
        });
      } else {
        map[name] = value;
      }
    }
    return map;
  }
}

function exact(big) {
  const number = Number(big);
  return Number.isSafeInteger(number) ? number : big;
}

module.exports = { unpack };
