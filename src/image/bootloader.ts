import { descriptorOffset, hasAppMagic, printableText } from "./app_descriptor.ts";
import { isMappedFromFlash, type SegmentWalk } from "./segments.ts";

/** First byte of the descriptor that bootloaders have since ESP-IDF 5.2. */
const descriptorMagic = 0x50;
const descriptorLength = 80;
/** Older bootloaders begin with a segment that holds a few pointers, or load into the cache of ESP32. */
const tinySegment = 64;
const bootloaderRam = { from: 0x4007_8000, to: 0x4008_0000 };

/** What a bootloader says about itself since ESP-IDF 5.2 (`esp_bootloader_desc_t`). */
export interface BootloaderDescriptor {
  /** `CONFIG_BOOTLOADER_PROJECT_VER`, a number. */
  readonly version: number;
  /** Anti-rollback counter of the bootloader itself; 0 where the feature is off. */
  readonly secureVersion: number;
  /** The ESP-IDF it was built with. */
  readonly idfVersion: string;
  /** `Mmm dd yyyy HH:MM:SS` of the build; empty where the build left it out. */
  readonly compileTime: string;
}

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
  if (parseBootloaderDescriptor(evidence.head) !== undefined) return "bootloader";
  if (walk.fault !== undefined || !evidence.chipKnown) return undefined;
  // with an application's descriptor, a flipped chip id is likelier than an application for RAM: a finding says so
  if (hasAppMagic(evidence.head) && !evidence.intact) return undefined;
  if (evidence.follows) return "ram-image";
  const first = walk.segments[0];
  const looksOld = first !== undefined && first.length <= tinySegment ||
    walk.segments.some(({ address }) => address >= bootloaderRam.from && address < bootloaderRam.to);
  return looksOld ? "bootloader" : "ram-image";
}

/** Reads the descriptor of a bootloader out of a file's beginning, or nothing where there is none. */
export function parseBootloaderDescriptor(head: Uint8Array): BootloaderDescriptor | undefined {
  if (head.length < descriptorOffset + descriptorLength) return undefined;
  const bytes = head.subarray(descriptorOffset, descriptorOffset + descriptorLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, descriptorLength);
  if (bytes[0] !== descriptorMagic || bytes[1] !== 0 || bytes[2] !== 0) return undefined;
  const idfVersion = bytes.subarray(8, 40);
  // one byte of magic is little: the version must be text as well
  const isText = /^[\x20-\x7e]+$/.test(new TextDecoder().decode(idfVersion).replace(/\0.*$/s, ""));
  if (!isText) return undefined;
  return {
    version: view.getUint32(4, true),
    secureVersion: view.getUint8(3),
    idfVersion: printableText(idfVersion),
    compileTime: printableText(bytes.subarray(40, 64)),
  };
}
