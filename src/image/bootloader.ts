import { descriptorOffset, hasAppMagic, printableText } from "./app_descriptor.ts";
import { isMappedFromFlash, type SegmentWalk } from "./segments.ts";

/** First byte of the descriptor that bootloaders have since ESP-IDF 5.2. */
const descriptorMagic = 0x50;
const descriptorLength = 80;
/** Older bootloaders begin with a segment that holds a few pointers, or load into the cache of ESP32. */
const tinySegment = 64;
const bootloaderRam = { from: 0x4007_8000, to: 0x4008_0000 };

/** The kinds of images that run from RAM, and so cannot be an update. */
export type RamImageKind = "bootloader" | "ram-image";

/** What speaks for one kind or the other, besides the segments. */
export interface RamImageEvidence {
  /** The file's beginning, at least to the end of a descriptor where the file is that long. */
  readonly head: Uint8Array;
  /** Whether the chip's memory is known, so that the kind of each segment is. */
  readonly chipKnown: boolean;
  /** Whether the image's SHA-256 proves its header and segments. */
  readonly intact: boolean;
  /** Whether other bytes than padding follow: flash segments that the header conceals. */
  readonly follows: boolean;
}

/**
 * Tells images without a segment in the flash mapping apart; every application has one. Nothing is said of an
 * image that is cut, malformed or damaged before its segments show it, unless a bootloader's descriptor does.
 */
export function kindOfRamImage(walk: SegmentWalk, evidence: RamImageEvidence): RamImageKind | undefined {
  if (walk.seen.some(isMappedFromFlash)) return undefined;
  if (bootloaderVersion(evidence.head) !== undefined) return "bootloader";
  if (walk.fault !== undefined || !evidence.chipKnown) return undefined;
  // with an application's descriptor, a flipped chip id is likelier than an application for RAM: a finding says so
  if (hasAppMagic(evidence.head) && !evidence.intact) return undefined;
  if (evidence.follows) return "ram-image";
  const first = walk.segments[0];
  const looksOld = first !== undefined && first.length <= tinySegment ||
    walk.segments.some(({ address }) => address >= bootloaderRam.from && address < bootloaderRam.to);
  return looksOld ? "bootloader" : "ram-image";
}

/** The ESP-IDF version in a bootloader's descriptor; `undefined` where there is no such descriptor. */
export function bootloaderVersion(head: Uint8Array): string | undefined {
  if (head.length < descriptorOffset + descriptorLength) return undefined;
  const bytes = head.subarray(descriptorOffset, descriptorOffset + descriptorLength);
  if (bytes[0] !== descriptorMagic || bytes[1] !== 0 || bytes[2] !== 0) return undefined;
  const version = bytes.subarray(8, 40);
  // one byte of magic is little: the version must be text as well
  return version[0] !== 0 && /^[\x20-\x7e]+$/.test(new TextDecoder().decode(version).replace(/\0.*$/s, ""))
    ? printableText(version)
    : undefined;
}
