'use strict';
// Finds the native half: beside this package, where it was built, or in the package of its platform.

const { join } = require('node:path');
const { existsSync } = require('node:fs');

/** The platform, as napi-rs names it. */
function platform() {
  const { platform, arch } = process;
  if (platform === 'linux') {
    // Only glibc reports its version.
    const glibc = process.report?.getReport().header.glibcVersionRuntime;
    return `linux-${arch}-${glibc ? 'gnu' : 'musl'}`;
  }
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

function load() {
  const name = platform();
  const built = join(__dirname, '..', `hedgerow.${name}.node`);
  if (existsSync(built)) {
    return require(built);
  }
  try {
    return require(`hedgerow-${name}`);
  } catch (cause) {
    throw new Error(
      `hedgerow has no native half for ${name}: neither ${built} (npm run build makes it) ` +
        `nor the package hedgerow-${name} is there`,
      { cause },
    );
  }
}

module.exports = load();
