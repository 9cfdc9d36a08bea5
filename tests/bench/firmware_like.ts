/** Bytes that are made at a stroke and repeated: 512 times the window of gzip, so that no repetition is found. */
const PATTERN_BYTES = 16 * 1024 * 1024;

/**
 * Bytes that compress about 2:1, as machine code does: five runs of 4 to 35 bytes in eight repeat what stood up
 * to 16 KiB before them, the others are new. The same for the same size.
 */
export function firmwareLike(size: number): Uint8Array<ArrayBuffer> {
  const pattern = new Uint8Array(Math.min(size, PATTERN_BYTES));
  let state = 0x2545f491;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  for (let at = 0; at < pattern.length;) {
    const choice = next();
    const run = 4 + (choice & 31);
    const back = 64 + ((choice >>> 5) & 0x3fff);
    const repeats = (choice >>> 29) < 5 && at > back;
    for (const end = Math.min(pattern.length, at + run); at < end; at++) {
      pattern[at] = repeats ? pattern[at - back] ?? 0 : next() >>> 8;
    }
  }
  const whole = new Uint8Array(size);
  for (let at = 0; at < size; at += pattern.length) whole.set(pattern.subarray(0, size - at), at);
  return whole;
}
