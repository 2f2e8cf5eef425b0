'use strict';
// What this machine is, in the words that packages of native halves have for it.

function platform() {
  const { platform, arch } = process;
  if (platform === 'linux') {
    // Only glibc reports its version.
    const glibc = process.report?.getReport().header.glibcVersionRuntime;
    return `linux-${arch}-${glibc ? 'gnu' : 'musl'}`;
  }
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

module.exports = { platform };
