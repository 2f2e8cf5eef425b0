'use strict';
// `CancellationToken`.

const native = require('./native');

/** Ends every call that has it. */
class CancellationToken {
  #native = new native.Token();

  /** Ends all calls that have the token, and every one that is started with it later. */
  cancel() {
    this.#native.cancel();
  }

  /** Whether `cancel` was called; nothing else changes a token. */
  get isCancelled() {
    return this.#native.isCancelled;
  }

  static native(token) {
    return token.#native;
  }

  toJSON() {
    return { isCancelled: this.isCancelled };
  }
}

const nativeToken = CancellationToken.native;
delete CancellationToken.native;

module.exports = { CancellationToken, nativeToken };
