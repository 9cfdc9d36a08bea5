import { type Chip, isFlashMapped, isWithin } from "./chip.ts";
import { headerLength, type ImageHeader } from "./image_header.ts";
import { type ImageSource, readUpTo } from "./image_source.ts";

/** A piece of an image with the address it belongs to. */
export interface Segment {
  /** Position among the segments, from 0. */
  readonly index: number;
  /** Address at which the CPU sees it; 0 for padding. */
  readonly address: number;
  /** Bytes of data. */
  readonly length: number;
  /** File offset of its data, after its 8-byte header. */
  readonly offset: number;
  /** The kind of memory at that address, in Espressif's terms. */
  readonly memory: MemoryKind;
}

/** Kinds of memory: DROM and IROM are mapped from the flash, `unloaded` is a reserved address that is skipped. */
export type MemoryKind =
  | "padding"
  | "unloaded"
  | "DROM"
  | "IROM"
  | "DROM/IROM"
  | "PSRAM"
  | "RTC"
  | "DRAM"
  | "IRAM"
  | "RAM";

/** A part of an image, as named to people. */
export type ImagePlace =
  | "header"
  | `segment ${number} header`
  | `segment ${number} data`
  | "checksum"
  | "sha256"
  | "signature";

/** Why the segments could not be followed to the end. */
export type StructureFault =
  | {
    /** The file ends too early. */
    readonly kind: "cut";
    /** The part in which it ends. */
    readonly where: ImagePlace;
    /** Bytes that are missing, at the least. */
    readonly missing: number;
    /** Whether `missing` is the whole of it, signature apart. */
    readonly exact: boolean;
  }
  | {
    /** The image says something no device accepts. */
    readonly kind: "malformed";
    /** The part that says so. */
    readonly where: ImagePlace;
    /** What it says and what would be right. */
    readonly reason: string;
  };

/** The segments as far as they could be followed. */
export interface SegmentWalk {
  /** Those whose data is in the file. */
  readonly segments: readonly Segment[];
  /** Those and the one that is cut or malformed, if its header could be read: enough to classify the image. */
  readonly seen: readonly Segment[];
  /** File offset after the last of `segments`. */
  readonly end: number;
  /** Where following them came to an end too early. */
  readonly fault?: StructureFault;
}

const maxSegments = 16;
const segmentHeaderLength = 8;
/** Devices refuse segments of this length and more, except the chips with wide segments. */
const segmentLimit = 16 * 1024 * 1024;
const sha256Length = 32;
/** Addresses below this are not loaded; 0 marks padding. */
const firstLoadedAddress = 0x1000_0000;

/**
 * Follows the segment headers from the first to the last. Lengths come from a stranger: they are compared
 * with the file's size as numbers beyond 32 bits before anything is read, and nothing is allocated by them.
 *
 * @throws {ImageError} `file-changed`
 */
export async function walkSegments(
  source: ImageSource,
  image: { readonly header: ImageHeader; readonly chip: Chip | undefined },
  signal?: AbortSignal,
): Promise<SegmentWalk> {
  const { chip, header: { segmentCount, hashFlag } } = image;
  const segments: Segment[] = [];
  let end = headerLength;
  if (segmentCount > maxSegments) {
    const reason = `${segmentCount} segments, at most ${maxSegments} are possible`;
    return { segments, seen: [], end, fault: { kind: "malformed", where: "header", reason } };
  }
  // what is missing at the least when the file ends before `known`, with `headers` segments still to come
  const cut = (where: ImagePlace, known: number, headers: number): StructureFault => {
    const least = plainEnd(known + headers * segmentHeaderLength, hashFlag !== 0);
    return { kind: "cut", where, missing: least - source.size, exact: headers === 0 };
  };
  for (let index = 0; index < segmentCount; index++) {
    const bytes = await readUpTo(source, { offset: end, length: segmentHeaderLength, signal });
    if (bytes.length < segmentHeaderLength) {
      return {
        segments,
        seen: segments,
        end,
        fault: cut(`segment ${index} header`, end, segmentCount - index),
      };
    }
    const view = new DataView(bytes.buffer);
    const address = view.getUint32(0, true);
    const length = view.getUint32(4, true);
    const offset = end + segmentHeaderLength;
    const segment = { index, address, length, offset, memory: memoryAt(address, chip) };
    const seen = [...segments, segment];
    const reason = lengthFault(segment, chip);
    if (reason !== undefined) {
      return { segments, seen, end, fault: { kind: "malformed", where: `segment ${index} header`, reason } };
    }
    if (offset + length > source.size) {
      const fault = cut(`segment ${index} data`, offset + length, segmentCount - index - 1);
      return { segments, seen, end, fault };
    }
    segments.push(segment);
    end = offset + length;
  }
  return { segments, seen: segments, end };
}

/** File offset of the checksum byte, the last of a block of 16, when the last segment ends at `segmentsEnd`. */
export function checksumOffset(segmentsEnd: number): number {
  return segmentsEnd - segmentsEnd % 16 + 15;
}

/** File offset after the checksum and, where one is appended, the SHA-256. */
export function plainEnd(segmentsEnd: number, hashAppended: boolean): number {
  return checksumOffset(segmentsEnd) + 1 + (hashAppended ? sha256Length : 0);
}

/** Whether the CPU reads the segment from the flash, which is so for some of every application. */
export function isMappedFromFlash(segment: Segment): boolean {
  return ["DROM", "IROM", "DROM/IROM", "PSRAM"].includes(segment.memory);
}

function lengthFault(segment: Segment, chip: Chip | undefined): string | undefined {
  const { length } = segment;
  if (length % 4 !== 0) return `a length of ${length} bytes, which is no multiple of 4`;
  // a chip we do not know may be one with wide segments
  if (chip?.wideSegments === false && length >= segmentLimit) {
    return `a length of ${length} bytes, where ${segmentLimit} and more are impossible`;
  }
  return undefined;
}

function memoryAt(address: number, chip: Chip | undefined): MemoryKind {
  if (address === 0) return "padding";
  if (address < firstLoadedAddress) return "unloaded";
  if (chip === undefined) return "RAM";
  if (isFlashMapped(chip, address)) return flashMemoryAt(address, chip);
  if (chip.rtc.some((range) => isWithin(range, address))) return "RTC";
  if (!chip.splitRam) return "RAM";
  // chips with two buses see the same RAM as instructions above this address and as data below
  return address >= 0x4000_0000 ? "IRAM" : "DRAM";
}

function flashMemoryAt(address: number, chip: Chip): MemoryKind {
  if (chip.externalRam && isWithin(chip.externalRam, address)) return "PSRAM";
  if (chip.flashData[0] === chip.flashCode[0]) return "DROM/IROM";
  return isWithin(chip.flashData, address) ? "DROM" : "IROM";
}
