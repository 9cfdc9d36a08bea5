/**
 * Tar archives whose every header byte can be chosen, well formed or not. Own writer, because a packer for honest
 * archives refuses to write the dishonest ones.
 *
 * Formats: POSIX.1-2017 pax interchange format, GNU tar manual "Basic Tar Format".
 *
 * @module
 */

const BLOCK = 512;
const encoder = new TextEncoder();

/** How a name of more than 100 bytes is written: `pax` record, GNU `L`/`K` entry, or cut off as the plain header does. */
export type LongNames = "pax" | "gnu" | "cut";

/** One entry; everything but `name` has an honest default. */
export interface TarEntry {
  /** As written, so `../x` and `/x` stay what they are. */
  readonly name: string;
  /** The type flag: `0` file (default), `1` hard link, `2` symlink, `3`/`4` devices, `5` directory, `6` fifo, any other. */
  readonly type?: string;
  /** Nothing when absent. */
  readonly content?: Uint8Array;
  /** Target of a link. */
  readonly linkName?: string;
  /** Permission bits; 0644 for files, 0755 for directories. */
  readonly mode?: number;
  /** Owner; 0 when absent. */
  readonly uid?: number;
  /** Group; 0 when absent. */
  readonly gid?: number;
  /** Seconds since the epoch; 0, so that archives are reproducible. */
  readonly mtime?: number;
  /** Major number of a device node. */
  readonly deviceMajor?: number;
  /** Minor number of a device node. */
  readonly deviceMinor?: number;
  /** Size the header claims; the content's own length when absent. */
  readonly claimedSize?: number;
  /** Writes the size in base-256, as for files above 8 GiB. */
  readonly base256?: boolean;
  /** Extra pax records for this entry, such as `path` or `size`. */
  readonly pax?: Readonly<Record<string, string>>;
  /** How long names are written; `pax` when absent. */
  readonly longNames?: LongNames;
  /** Checksum to write in place of the right one. */
  readonly checksum?: number;
  /** Eight bytes of magic and version; `ustar\0` `00` when absent. */
  readonly magic?: string;
}

/** A regular file. */
export function tarFile(name: string, content: Uint8Array | string, more: Partial<TarEntry> = {}): TarEntry {
  return { name, content: typeof content === "string" ? encoder.encode(content) : content, ...more };
}

/** A directory; the name gets its closing slash. */
export function tarDirectory(name: string): TarEntry {
  return { name: name.endsWith("/") ? name : `${name}/`, type: "5" };
}

/** A symbolic link at `name` to `target`. */
export function tarSymlink(name: string, target: string): TarEntry {
  return { name, type: "2", linkName: target };
}

/** A hard link at `name` to the entry `target`. */
export function tarHardLink(name: string, target: string): TarEntry {
  return { name, type: "1", linkName: target };
}

/** A device node; 1, 3 is `/dev/null`. */
export function tarDevice(name: string, kind: "character" | "block" = "character"): TarEntry {
  return { name, type: kind === "character" ? "3" : "4", deviceMajor: 1, deviceMinor: 3 };
}

/** The whiteout that deletes `path` of the layers below (image-spec layer.md, "Whiteouts"). */
export function tarWhiteout(path: string): TarEntry {
  const slash = path.lastIndexOf("/") + 1;
  return tarFile(`${path.slice(0, slash)}.wh.${path.slice(slash)}`, "");
}

/** The opaque whiteout that hides all that the layers below hold in `directory`. */
export function tarOpaque(directory: string): TarEntry {
  return tarFile(`${directory.replace(/\/$/, "")}/.wh..wh..opq`, "");
}

/** A global pax header (`g`), whose records hold for all the entries after it. */
export function tarGlobalPax(records: Readonly<Record<string, string>>): TarEntry {
  return { name: "pax_global_header", type: "g", content: paxRecords(records) };
}

/** A file behind a pax header of at least `headerBytes` bytes. */
export function tarGiantPax(name: string, headerBytes: number): TarEntry {
  return tarFile(name, "small", { pax: { comment: "x".repeat(headerBytes) } });
}

/** The whole archive, closed by `endBlocks` zero blocks: 2 as the format asks, 0 for one cut between entries. */
export function tarArchive(entries: readonly TarEntry[], endBlocks = 2): Uint8Array<ArrayBuffer> {
  return concatBytes([...entries.flatMap(entryBytes), new Uint8Array(BLOCK * endBlocks)]);
}

/** All `parts` in one array. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function entryBytes(entry: TarEntry): Uint8Array[] {
  const content = entry.content ?? new Uint8Array();
  const longNames = entry.longNames ?? "pax";
  const extensions: TarEntry[] = [];
  const pax: Record<string, string> = {};
  for (
    const [value, gnuType, record] of [[entry.linkName, "K", "linkpath"], [entry.name, "L", "path"]] as const
  ) {
    if (value === undefined || encoder.encode(value).length <= 100) continue;
    if (longNames === "gnu") {
      const gnuContent = encoder.encode(`${value}\0`);
      extensions.push({ name: "././@LongLink", type: gnuType, content: gnuContent, magic: "ustar  \0" });
    }
    if (longNames === "pax") pax[record] = value;
  }
  const records = { ...pax, ...entry.pax };
  if (Object.keys(records).length > 0) {
    extensions.push({ name: "PaxHeaders.0/entry", type: "x", content: paxRecords(records) });
  }
  const padding = new Uint8Array((BLOCK - content.length % BLOCK) % BLOCK);
  return [...extensions.flatMap(entryBytes), header(entry, content.length), content, padding];
}

/** One 512 byte header block. */
function header(entry: TarEntry, contentLength: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const type = entry.type ?? "0";
  const size = entry.claimedSize ?? contentLength;
  text(block, [0, 100], entry.name);
  octal(block, [100, 8], entry.mode ?? (type === "5" ? 0o755 : 0o644));
  octal(block, [108, 8], entry.uid ?? 0);
  octal(block, [116, 8], entry.gid ?? 0);
  if (entry.base256 ?? size > 0o77777777777) base256(block, [124, 12], size);
  else octal(block, [124, 12], size);
  octal(block, [136, 12], entry.mtime ?? 0);
  text(block, [156, 1], type);
  text(block, [157, 100], entry.linkName ?? "");
  text(block, [257, 8], entry.magic ?? "ustar\x0000");
  octal(block, [329, 8], entry.deviceMajor ?? 0);
  octal(block, [337, 8], entry.deviceMinor ?? 0);
  // The checksum is taken with its own field full of spaces.
  block.fill(0x20, 148, 156);
  const checksum = entry.checksum ?? block.reduce((sum, byte) => sum + byte, 0);
  text(block, [148, 8], `${checksum.toString(8).padStart(6, "0")}\0 `);
  return block;
}

type Field = readonly [offset: number, length: number];

function text(block: Uint8Array, [offset, length]: Field, value: string): void {
  block.set(encoder.encode(value).subarray(0, length), offset);
}

function octal(block: Uint8Array, [offset, length]: Field, value: number): void {
  text(block, [offset, length], value.toString(8).padStart(length - 1, "0"));
}

/** Big-endian number whose first byte is marked by its top bit. */
function base256(block: Uint8Array, [offset, length]: Field, value: number): void {
  let rest = BigInt(value);
  for (let index = offset + length - 1; index > offset; index--) {
    block[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  block[offset] = 0x80;
}

/** `<length> <key>=<value>\n`, where the length counts its own digits. */
function paxRecords(records: Readonly<Record<string, string>>): Uint8Array {
  const parts = Object.entries(records).map(([key, value]) => {
    const rest = encoder.encode(` ${key}=${value}\n`);
    let length = rest.length;
    while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
    return concatBytes([encoder.encode(String(length)), rest]);
  });
  return concatBytes(parts);
}
