/** Bytes of an entry. */
const entryLength = 32;
/** What ESP-IDF reserves in the sector for entries and their MD5; the rest may hold a signature. */
export const maxTableLength = 3072;
const sectorLength = 4096;
/** Type of a partition that holds an application. */
const applicationType = 0;
/** Types below this are Espressif's, up to the last one the owner of a table chooses. */
const types = { lastOfEspressif: 3, firstOfOwner: 0x40, lastOfOwner: 0xfe };

/** An entry of a partition table. */
export interface Partition {
  /** What for: 0 is an application. */
  readonly type: number;
  /** Flash offset in bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** The entries of a partition table, up to the first that is none: the MD5 entry or erased flash. */
export function parsePartitionTable(bytes: Uint8Array): Partition[] {
  const partitions: Partition[] = [];
  for (let at = 0; at + entryLength <= Math.min(bytes.length, maxTableLength); at += entryLength) {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, entryLength);
    if (view.getUint8(0) !== 0xaa || view.getUint8(1) !== 0x50) break;
    const partition = {
      type: view.getUint8(2),
      offset: view.getUint32(4, true),
      size: view.getUint32(8, true),
    };
    if (!isPlausible(partition)) break;
    partitions.push(partition);
  }
  return partitions;
}

/** Whether a partition holds an application. */
export function holdsApplication(partition: Partition): boolean {
  return partition.type === applicationType;
}

function isPlausible({ type, offset, size }: Partition): boolean {
  const known = type <= types.lastOfEspressif ||
    (type >= types.firstOfOwner && type <= types.lastOfOwner);
  return known && offset % sectorLength === 0 && size > 0;
}
