/** Tiny images written byte by byte for the tests of the parser; the faithful builders are elsewhere. */

import { createHash } from "node:crypto";
import type { ImageSource } from "../../src/image/image_source.ts";

/** A segment: its load address and its data. */
export interface HandMadeSegment {
  readonly address: number;
  readonly data: Uint8Array;
}

/** Header bytes that differ from an esp32 application's. */
export interface HandMadeHeader {
  readonly chipId?: number;
  readonly hash?: boolean;
  readonly entry?: number;
  readonly pinDrive?: readonly number[];
  readonly revisions?: { readonly legacy?: number; readonly min: number; readonly max: number };
}

/** A source over bytes that also counts the reads. */
export class BytesInMemory implements ImageSource {
  readonly size: number;
  reads = 0;
  largestRead = 0;

  constructor(readonly bytes: Uint8Array) {
    this.size = bytes.length;
  }

  readAt(offset: number, into: Uint8Array): Promise<number> {
    this.reads++;
    this.largestRead = Math.max(this.largestRead, into.length);
    const part = this.bytes.subarray(offset, offset + into.length);
    into.set(part);
    return Promise.resolve(part.length);
  }
}

export function little(value: number, length: number): number[] {
  return Array.from({ length }, (_, index) => Math.floor(value / 256 ** index) % 256);
}

export function text(value: string, length: number): number[] {
  const bytes = [...new TextEncoder().encode(value)];
  return [...bytes, ...new Array<number>(length - bytes.length).fill(0)];
}

/** 256 bytes of an application descriptor, with a secure version. */
export function handMadeDescriptor(secureVersion = 0): Uint8Array {
  return Uint8Array.of(
    ...[0x32, 0x54, 0xcd, 0xab],
    ...little(secureVersion, 4),
    ...little(0, 8),
    ...text("1.2.3", 32),
    ...text("thermo", 32),
    ...text("12:34:56", 16),
    ...text("Jan  1 2026", 16),
    ...text("v5.4.1", 32),
    ...new Array<number>(32).fill(0xab),
    ...little(1, 2),
    ...little(199, 2),
    ...[16, 3],
    ...new Array<number>(74).fill(0),
  );
}

/** The two segments of a small esp32 application: constants with the descriptor, code in RAM. */
export function applicationSegments(secureVersion = 0): HandMadeSegment[] {
  return [
    { address: 0x3f40_0020, data: handMadeDescriptor(secureVersion) },
    { address: 0x4008_0000, data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
  ];
}

/** Header, segments, checksum and, unless told otherwise, SHA-256. */
export function handMadeImage(
  segments: readonly HandMadeSegment[] = applicationSegments(),
  header: HandMadeHeader = {},
): Uint8Array {
  const {
    chipId = 0,
    hash = true,
    entry = 0x4008_0004,
    pinDrive = [0, 0, 0],
    revisions = { min: 0, max: 399 },
  } = header;
  const bytes = [
    ...[0xe9, segments.length, 2, 0x2f],
    ...little(entry, 4),
    ...[0xee, ...pinDrive],
    ...little(chipId, 2),
    revisions.legacy ?? 0,
    ...little(revisions.min, 2),
    ...little(revisions.max, 2),
    ...[0, 0, 0, 0],
    hash ? 1 : 0,
  ];
  let sum = 0xef;
  for (const { address, data } of segments) {
    bytes.push(...little(address, 4), ...little(data.length, 4), ...data);
    for (const byte of data) sum ^= byte;
  }
  while (bytes.length % 16 !== 15) bytes.push(0);
  bytes.push(sum);
  if (hash) bytes.push(...createHash("sha256").update(Uint8Array.from(bytes)).digest());
  return Uint8Array.from(bytes);
}

/** The bytes, then as many of `fill` as are needed up to `length`. */
export function padded(bytes: Uint8Array, length: number, fill = 0xff): Uint8Array {
  const all = new Uint8Array(length).fill(fill);
  all.set(bytes);
  return all;
}

/** The bytes with one changed. */
export function withByte(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[offset] = value;
  return copy;
}

/** Bytes that look random, the same each time. */
export function noise(length: number): Uint8Array {
  const blocks = Array.from(
    { length: Math.ceil(length / 32) },
    (_, index) => createHash("sha256").update(`block ${index}`).digest(),
  );
  return Uint8Array.from(blocks.flatMap((block) => [...block])).subarray(0, length);
}
