import { descriptorOffset, hasAppMagic } from "./app_descriptor.ts";
import { imageMagic } from "./image_header.ts";
import { type ImageSource, readUpTo } from "./image_source.ts";
import { holdsApplication, maxTableLength, parsePartitionTable, type Partition } from "./partition_table.ts";

/** What a file with a bootloader in it holds beyond the bootloader. */
export interface MergedImage {
  /** Whether a partition table or an application was found at all. */
  readonly merged: boolean;
  /** File offset of the first application, if one stands where the table says or where one usually is. */
  readonly applicationOffset?: number;
}

const sectorLength = 0x1000;
/** Tables stand at 0x8000 by default and have been seen up to 0x20000; from 0x2000 on a bootloader may end. */
const tableSearch = { from: 0x2000, to: 0x2_1000 };
/** Usual flash offsets of the first application, for a file without a table. */
const usualApplicationOffsets = [0x1_0000, 0x2_0000];
const bootloaderOffsets = [0x1000, 0x2000];
/** `bootloader-reflash-digest.bin` begins with an IV of 128 bytes and a digest of 64, then erased flash. */
const reflashDigestLength = 192;

/** Whether a file begins with erased flash before a bootloader: it was merged from flash offset 0. */
export function beginsWithErasedFlash(head: Uint8Array): boolean {
  return bootloaderOffsets.some((offset) => head[offset] === imageMagic && isErased(head, 0, offset));
}

/** Whether a file is a bootloader for Secure Boot v1 with its digest before it. */
export function isReflashDigest(head: Uint8Array): boolean {
  return head[0x1000] === imageMagic && isErased(head, reflashDigestLength, 0x1000) &&
    !isErased(head, 0, reflashDigestLength);
}

/**
 * Looks behind a bootloader for a partition table and the application in it. The table speaks of flash
 * offsets; `start` is the flash offset of the file's first byte.
 *
 * @throws {ImageError} `file-changed`
 */
export async function findApplication(
  source: ImageSource,
  start: number,
  signal?: AbortSignal,
): Promise<MergedImage> {
  const partitions = await findTable(source, signal);
  const offsets = partitions === undefined
    ? usualApplicationOffsets
    : partitions.filter(holdsApplication).map(({ offset }) => offset);
  // a file merged with `--target-offset` begins later in the flash than at 0, one with gaps filled at 0
  for (const offset of offsets.flatMap((flashOffset) => [flashOffset - start, flashOffset])) {
    if (offset <= 0) continue;
    const bytes = await readUpTo(source, { offset, length: descriptorOffset + 4, signal });
    const found = bytes[0] === imageMagic && (partitions !== undefined || hasAppMagic(bytes));
    if (found) return { merged: true, applicationOffset: offset };
  }
  return { merged: partitions !== undefined };
}

async function findTable(source: ImageSource, signal?: AbortSignal): Promise<Partition[] | undefined> {
  for (let offset = tableSearch.from; offset < tableSearch.to; offset += sectorLength) {
    if (offset >= source.size) return undefined;
    const partitions = parsePartitionTable(
      await readUpTo(source, { offset, length: maxTableLength, signal }),
    );
    if (partitions.length > 0) return partitions;
  }
  return undefined;
}

function isErased(bytes: Uint8Array, from: number, to: number): boolean {
  return bytes.length >= to && bytes.subarray(from, to).every((byte) => byte === 0xff);
}
