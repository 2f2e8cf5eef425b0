'use strict';
// The shapes that the arguments of a call may come in: by position, as an options object, in the
// order of older versions.

const { ArgumentError, kindOf, wrongType } = require('./errors');
const { headers, isOptions, isSetting, settingsOf, text, truth, whole } = require('./preference');

/** The settings that versions before the preference took by position, in their order. */
const NUMBERS = ['maxConcurrentRequests', 'batchSize', 'timeoutS', 'maxCharsPerRequest', 'hedgeDelay'];

// What each call takes after its inputs, and how it is read.

const EMBED = {
  encodingFormat: (field, value) => {
    if (value !== 'float' && value !== 'base64') {
      const shown = typeof value === 'string' ? JSON.stringify(value) : kindOf(value);
      throw new ArgumentError(`Encoding format must be 'float' or 'base64' (got ${shown})`, {
        field: 'encodingFormat',
      });
    }
    return value;
  },
  dimensions: whole('must be greater than 0'),
  user: text,
};

const EMBED_ITER = { ...EMBED, inOrder: truth };

const SCORING = {
  rawScores: truth,
  truncate: truth,
  truncationDirection: (field, value) => {
    const direction = typeof value === 'string' ? value.toLowerCase() : undefined;
    if (direction !== 'left' && direction !== 'right') {
      const shown = typeof value === 'string' ? JSON.stringify(value) : kindOf(value);
      throw new ArgumentError(`truncation_direction must be 'Left' or 'Right' (got ${shown})`);
    }
    return direction;
  },
};

const RERANK = {
  rawScores: SCORING.rawScores,
  model: text,
  returnText: truth,
  truncate: SCORING.truncate,
  truncationDirection: SCORING.truncationDirection,
};

const CLASSIFY = {
  model: text,
  rawScores: SCORING.rawScores,
  truncate: SCORING.truncate,
  truncationDirection: SCORING.truncationDirection,
};

const given = (value) => value !== undefined && value !== null;

/** Reads what came after a call's inputs: `[what is asked, settings]`. */
function readArguments(readers, rest) {
  const names = Object.keys(readers);
  const asked = {};
  let settings = {};
  rest.forEach((value, at) => {
    if (!given(value)) {
      return;
    }
    if (isOptions(value)) {
      // An options object may stand anywhere; what it says of the call itself counts as well.
      const [own, others] = split(value, readers);
      Object.assign(asked, read(readers, own));
      settings = { ...settings, ...settingsOf(others) };
    } else if (at < names.length) {
      Object.assign(asked, read(readers, { [names[at]]: value }));
    } else if (typeof value === 'number' && at - names.length < NUMBERS.length) {
      Object.assign(settings, settingsOf({ [NUMBERS[at - names.length]]: value }));
    } else {
      throw wrongType('preference', 'a RequestProcessingPreference or a plain object', value);
    }
  });
  return [asked, settings];
}

/** What an options object says of the call itself, and its settings. */
function split(options, readers) {
  if (Object.getPrototypeOf(options) !== Object.prototype && options.constructor !== undefined) {
    return [{}, options];
  }
  const own = {};
  const others = {};
  for (const [name, value] of Object.entries(options)) {
    (Object.hasOwn(readers, name) ? own : others)[name] = value;
  }
  return [own, others];
}

function read(readers, values) {
  const found = {};
  for (const [name, value] of Object.entries(values)) {
    if (given(value)) {
      const field = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      found[name] = readers[name](field, value);
    }
  }
  return found;
}

const embedArguments = (rest) => readArguments(EMBED, rest);
const embedIterArguments = (rest) => readArguments(EMBED_ITER, rest);

/** Before there was a model, what came after it stood one place earlier. */
function rerankArguments(rest) {
  const [, second, , fourth, fifth] = rest;
  const older = typeof second === 'boolean' || typeof fourth === 'string' || typeof fifth === 'number';
  return readArguments(RERANK, older ? [rest[0], null, ...rest.slice(1)] : rest);
}

function classifyArguments(rest) {
  const [first, , third, fourth] = rest;
  const older = typeof first === 'boolean' || typeof third === 'string' || typeof fourth === 'number';
  return readArguments(CLASSIFY, older ? [null, ...rest] : rest);
}

/** What came after the payloads, in any order: `[{ method, headers }, settings]`. */
function postArguments(rest) {
  const asked = {};
  let settings;
  let numbers = 0;
  const once = (name, value) => {
    if (asked[name] !== undefined) {
      throw new ArgumentError(`${name} is given twice`, { field: name });
    }
    asked[name] = value;
  };
  const legacy = {};
  for (const value of rest.filter(given)) {
    if (typeof value === 'string') {
      once('method', value);
    } else if (typeof value === 'number' && numbers < 2) {
      legacy[['maxConcurrentRequests', 'timeoutS'][numbers++]] = value;
    } else if (isPreference(value)) {
      if (settings) {
        throw new ArgumentError('preference is given twice', { field: 'preference' });
      }
      const [own, others] = split(value, { method: 0, customHeaders: 0 });
      settings = settingsOf(others);
      if (given(own.method)) {
        once('method', text('method', own.method));
      }
      if (given(own.customHeaders)) {
        once('customHeaders', headers('custom_headers', own.customHeaders));
      }
    } else if (typeof value === 'object' && Object.keys(value).length + !isOptions(value) > 0) {
      once('customHeaders', headers('custom_headers', value));
    } else if (!isOptions(value)) {
      const wanted = 'a preference, an object of headers, or the name of a method';
      throw wrongType('an argument of batchPost', wanted, value);
    }
  }
  return [asked, { ...settingsOf(legacy), ...settings }];
}

/** Whether an object is a preference: it names settings, and is not one of strings alone. */
function isPreference(value) {
  if (!isOptions(value)) {
    return false;
  }
  if (Object.getPrototypeOf(value) !== Object.prototype && value.constructor !== undefined) {
    return true;
  }
  const names = Object.keys(value);
  const known = (name) =>
    isSetting(name) || name === 'preference' || name === 'method' || name === 'customHeaders';
  const strings = names.every((name) => typeof value[name] === 'string');
  return names.length > 0 && (names.every(known) || (!strings && names.some(known)));
}

module.exports = {
  classifyArguments,
  embedArguments,
  embedIterArguments,
  postArguments,
  rerankArguments,
};
