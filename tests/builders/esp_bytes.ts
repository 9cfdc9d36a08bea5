/** Bytes that own their buffer, as every builder here returns them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Joins `parts` end to end. */
export function concatBytes(...parts: Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** `length` bytes of `value`: flash reads 0xFF where it was erased. */
export function filledBytes(length: number, value: number): Bytes {
  return new Uint8Array(length).fill(value);
}

/** The next multiple of `unit` at or above `length`. */
export function roundUp(length: number, unit: number): number {
  return Math.ceil(length / unit) * unit;
}

/** Extends `bytes` with `value` to a multiple of `unit`. */
export function padBytes(bytes: Uint8Array, unit: number, value = 0xff): Bytes {
  return concatBytes(bytes, filledBytes(roundUp(bytes.length, unit) - bytes.length, value));
}

/** `text` in UTF-8, cut or filled with NUL to exactly `length` bytes. */
export function fixedText(text: string, length: number): Bytes {
  const field = new Uint8Array(length);
  field.set(new TextEncoder().encode(text).subarray(0, length));
  return field;
}

/** One little-endian 32-bit word. */
export function u32le(value: number): Bytes {
  const word = new Uint8Array(4);
  new DataView(word.buffer).setUint32(0, value >>> 0, true);
  return word;
}

/** A copy of `bytes` with `patch` written over it at `offset`. */
export function withBytes(bytes: Uint8Array, offset: number, patch: ArrayLike<number>): Bytes {
  const copy = new Uint8Array(bytes);
  copy.set(patch, offset);
  return copy;
}

/** A copy of `bytes` with the bits of `mask` inverted in the byte at `offset`. */
export function withFlip(bytes: Uint8Array, offset: number, mask = 0x01): Bytes {
  return withBytes(bytes, offset, [(bytes[offset] ?? 0) ^ mask]);
}

/** A seeded source of 32-bit words (xorshift32): the same seed gives the same file on every machine. */
export function seededWords(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** `length` seeded bytes of 6.5 bits of entropy each: compiled code, where noise would look encrypted. */
export function codeLikeBytes(length: number, seed: number): Bytes {
  const next = seededWords(seed);
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = next() & next();
  return new Uint8Array(words.buffer, 0, length);
}

/** `length` seeded bytes of full entropy: what ciphertext looks like. */
export function noiseBytes(length: number, seed: number): Bytes {
  const next = seededWords(seed);
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0; i < words.length; i++) words[i] = next();
  return new Uint8Array(words.buffer, 0, length);
}
