import { createHash } from "node:crypto";
import type { ByteTap } from "./image_source.ts";
import {
  checksumOffset,
  type ImagePlace,
  plainEnd,
  type Segment,
  type SegmentWalk,
  type StructureFault,
} from "./segments.ts";

/** Whether an image's bytes are those that were built, and how this is known. */
export interface Integrity {
  /**
   * `intact`: its SHA-256 is right. `unverified`: its checksum is right, but two flipped bits can hide from
   * that and no SHA-256 is appended. `corrupt`: something is wrong. `truncated`: the file ends too early.
   */
  readonly verdict: "intact" | "unverified" | "corrupt" | "truncated";
  /** The part that is cut, malformed or not right. */
  readonly where?: ImagePlace;
  /** For a malformed structure: what is impossible about it. */
  readonly reason?: string;
  /** Bytes missing from a truncated file. */
  readonly missing?: number;
  /** Whether `missing` is the whole of it, signature apart, or the least it can be. */
  readonly missingIsExact?: boolean;
  /** The checksum byte, where the file reaches to it. */
  readonly checksum?: Comparison<number>;
  /** The SHA-256 in hex, where one is appended and the file reaches to its end. */
  readonly sha256?: Comparison<string>;
}

/** A value found in the file beside the value it should have. */
export interface Comparison<Value> {
  /** Where in the file it stands. */
  readonly offset: number;
  /** What stands there. */
  readonly stored: Value;
  /** What should. */
  readonly computed: Value;
}

/** Measures of an image that need all of its bytes; they are complete when the taps have seen the file. */
export interface IntegrityCheck {
  /** To be shown the file. */
  readonly taps: readonly ByteTap[];
  /** The verdict, and whether a byte between the segments and the checksum is not 0. */
  conclude(): { readonly integrity: Integrity; readonly padBytesSet: boolean };
}

/** The checksum of no data. */
const checksumSeed = 0xef;
const sha256Length = 32;

/** The verdict over an image whose segments could not be followed to the end: there is nothing to compute. */
export function integrityOfFault(fault: StructureFault): Integrity {
  if (fault.kind === "malformed") return { verdict: "corrupt", where: fault.where, reason: fault.reason };
  return {
    verdict: "truncated",
    where: fault.where,
    missing: fault.missing,
    missingIsExact: fault.exact,
  };
}

/** Prepares the check of an image whose segments are all there; `size` is the file's. */
export function openIntegrityCheck(
  walk: SegmentWalk,
  image: { readonly size: number; readonly hashAppended: boolean },
): IntegrityCheck {
  const { size, hashAppended } = image;
  const offset = checksumOffset(walk.end);
  const checksum = new ChecksumTap(walk.segments, walk.end, offset);
  const digest = new Sha256Tap(offset + 1);
  const shortBy = (end: number, where: ImagePlace): Integrity => ({
    verdict: "truncated",
    where,
    missing: end - size,
    missingIsExact: true,
  });
  return {
    taps: hashAppended ? [checksum, digest] : [checksum],
    conclude() {
      const padBytesSet = checksum.padBytesSet;
      const end = plainEnd(walk.end, hashAppended);
      if (size <= offset) return { integrity: shortBy(end, "checksum"), padBytesSet };
      const sums = { checksum: { offset, stored: checksum.stored, computed: checksum.sum } };
      const sumIsRight = checksum.stored === checksum.sum;
      if (hashAppended && size < end) {
        // a wrong checksum in a file that is cut as well is still only the second thing to say
        return { integrity: { ...shortBy(end, "sha256"), ...sums }, padBytesSet };
      }
      if (!hashAppended) {
        const integrity: Integrity = sumIsRight
          ? { verdict: "unverified", ...sums }
          : { verdict: "corrupt", where: "checksum", ...sums };
        return { integrity, padBytesSet };
      }
      const sha256 = { offset: offset + 1, ...digest.conclude() };
      const hashIsRight = sha256.stored === sha256.computed;
      const integrity: Integrity = sumIsRight && hashIsRight
        ? { verdict: "intact", ...sums, sha256 }
        : { verdict: "corrupt", where: sumIsRight ? "sha256" : "checksum", ...sums, sha256 };
      return { integrity, padBytesSet };
    },
  };
}

/** XOR of all data bytes of all segments, padding included and headers not. */
class ChecksumTap implements ByteTap {
  readonly end: number;
  sum = checksumSeed;
  stored = 0;
  padBytesSet = false;
  readonly #segments: readonly Segment[];
  readonly #segmentsEnd: number;

  constructor(segments: readonly Segment[], segmentsEnd: number, offset: number) {
    this.#segments = segments;
    this.#segmentsEnd = segmentsEnd;
    this.end = offset + 1;
  }

  update(bytes: Uint8Array, offset: number): void {
    for (const segment of this.#segments) {
      const from = Math.max(segment.offset, offset) - offset;
      const to = Math.min(segment.offset + segment.length, offset + bytes.length) - offset;
      if (from < to) this.sum = exclusiveOr(bytes.subarray(from, to), this.sum);
    }
    const pad = bytes.subarray(Math.max(0, this.#segmentsEnd - offset), Math.max(0, this.end - 1 - offset));
    this.padBytesSet ||= pad.some((byte) => byte !== 0);
    const last = bytes[this.end - 1 - offset];
    if (last !== undefined) this.stored = last;
  }
}

/** SHA-256 of everything before `hashOffset`, and the one that stands there. */
class Sha256Tap implements ByteTap {
  readonly end: number;
  readonly #hashOffset: number;
  readonly #hash = createHash("sha256");
  readonly #stored = new Uint8Array(sha256Length);

  constructor(hashOffset: number) {
    this.#hashOffset = hashOffset;
    this.end = hashOffset + sha256Length;
  }

  update(bytes: Uint8Array, offset: number): void {
    const covered = Math.min(bytes.length, Math.max(0, this.#hashOffset - offset));
    this.#hash.update(bytes.subarray(0, covered));
    const rest = bytes.subarray(covered);
    if (rest.length > 0) this.#stored.set(rest, offset + covered - this.#hashOffset);
  }

  conclude(): { stored: string; computed: string } {
    return { stored: this.#stored.toHex(), computed: this.#hash.digest("hex") };
  }
}

/** Word by word where the bytes lie on a word, as windows do: byte by byte, 4 MB take half of the check's time. */
function exclusiveOr(bytes: Uint8Array, seed: number): number {
  const count = bytes.byteOffset % Uint32Array.BYTES_PER_ELEMENT === 0 ? bytes.length >> 2 : 0;
  const words = new Uint32Array(bytes.buffer, count === 0 ? 0 : bytes.byteOffset, count);
  let word = 0;
  for (let at = 0; at < words.length; at++) word ^= words[at] ?? 0;
  let sum = seed ^ word ^ word >>> 8 ^ word >>> 16 ^ word >>> 24;
  for (let at = count << 2; at < bytes.length; at++) sum ^= bytes[at] ?? 0;
  return sum & 0xff;
}
