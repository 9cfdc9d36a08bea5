/** Below this many bytes even random ones repeat too much by chance to tell anything. */
const leastBytes = 512;

/** Plain applications have at most 7.1 bits per byte, encrypted ones 7.99. */
const randomThreshold = 7.9;

/** Whether bytes look encrypted: their entropy is that of random ones, as well as so many can show it. */
export function looksRandom(bytes: Uint8Array): boolean {
  if (bytes.length < leastBytes) return false;
  // Miller and Madow: a sample of n bytes shows about 255 / (2 n ln 2) bits less than its source has
  const bias = 255 / (2 * bytes.length * Math.LN2);
  return entropy(bytes) + bias > randomThreshold;
}

/** Shannon entropy of the distribution of bytes, in bits per byte. */
function entropy(bytes: Uint8Array): number {
  const counts = new Uint32Array(256);
  for (const byte of bytes) counts[byte] = (counts[byte] ?? 0) + 1;
  let bits = 0;
  for (const count of counts) {
    if (count > 0) bits -= count / bytes.length * Math.log2(count / bytes.length);
  }
  return bits;
}
