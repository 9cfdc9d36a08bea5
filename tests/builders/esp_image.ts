import { createHash } from "node:crypto";
import { type Bytes, codeLikeBytes, concatBytes, fixedText, u32le } from "./esp_bytes.ts";
import { ESP_CHIPS, type EspChip } from "./esp_chips.ts";

/** One segment as the loader sees it. */
export interface EspSegment {
  /** Load address; 0 is padding. */
  readonly address: number;
  /** The bytes loaded; a multiple of four long in a valid image. */
  readonly data: Uint8Array;
}

/** The fields of the 24-byte image header. */
export interface EspHeaderOptions {
  /** First byte; 0xE9 unless the test wants it wrong. */
  readonly magic?: number;
  /** Number of segments the header claims; the true number unless given. */
  readonly segmentCount?: number;
  /** spi_mode byte; 2 is DIO. */
  readonly spiMode?: number;
  /** Speed in the low nibble, size in the high one; 0x2F is 80 MHz and 4 MB. */
  readonly spiSpeedSize?: number;
  /** Address of the first instruction. */
  readonly entry?: number;
  /** wp_pin; 0xEE is disabled. */
  readonly wpPin?: number;
  /** chip_id, if not that of the chip asked for. */
  readonly chipId?: number;
  /** min_chip_rev_full: major * 100 + minor. */
  readonly minRevision?: number;
  /** max_chip_rev_full: major * 100 + minor. */
  readonly maxRevision?: number;
  /** The four reserved bytes as a little-endian word. */
  readonly reserved?: number;
  /** Whether a SHA-256 follows the checksum; true unless given. */
  readonly hashAppended?: boolean;
}

/** The fields of the application descriptor. */
export interface EspDescriptorOptions {
  /** First word; 0xABCD5432 unless the test wants it wrong. */
  readonly descriptorMagic?: number;
  /** Anti-rollback counter. */
  readonly secureVersion?: number;
  /** Application version. */
  readonly version?: string;
  /** Project name. */
  readonly project?: string;
  /** Build time, "HH:MM:SS". */
  readonly time?: string;
  /** Build date, "Mmm dd yyyy". */
  readonly date?: string;
  /** Version of ESP-IDF. */
  readonly idfVersion?: string;
  /** SHA-256 of the ELF file; zeros where the tool did not patch it. */
  readonly elfSha256?: Uint8Array;
  /** min_efuse_blk_rev_full. */
  readonly minEfuseRevision?: number;
  /** max_efuse_blk_rev_full. */
  readonly maxEfuseRevision?: number;
  /** log2 of the MMU page; 0 is unknown. */
  readonly mmuPageLog2?: number;
}

/** What an application image is made of; everything has a plausible value when left out. */
export interface EspAppOptions extends EspHeaderOptions, EspDescriptorOptions {
  /** The chip whose address ranges and number are used; esp32s3 unless given. */
  readonly chip?: EspChip;
  /** Total length of the plain image in bytes, met to within one kilobyte; about 3 KiB unless given. */
  readonly size?: number;
  /** Chooses the pseudo-random payload. */
  readonly seed?: number;
  /** Extra segments after the usual ones. */
  readonly extraSegments?: readonly EspSegment[];
  /** Non-zero filler before the checksum byte. */
  readonly padByte?: number;
}

/** Offset of the first segment's data: 24 bytes of header and 8 of segment header. */
const FIRST_DATA = 32;
/** Where the descriptor's 256 bytes end and the application's own constants begin. */
const DESCRIPTOR_LENGTH = 256;
/** The page of which load address and flash offset must agree; 64 KiB holds for every chip of the table. */
const MMU_PAGE = 0x10000;
/** Above this an esptool image pads its code to a page of its own; below, the code's address follows its offset. */
const PADDED_LAYOUT = 4 * MMU_PAGE;

/**
 * A valid application: descriptor and constants mapped as data, two RAM segments, code mapped as code,
 * checksum and, unless refused, SHA-256. The same options always give the same bytes.
 */
export function buildEspApp(options: EspAppOptions = {}): Bytes {
  const facts = ESP_CHIPS[options.chip ?? "esp32s3"];
  const segments = [...appSegments(options), ...options.extraSegments ?? []];
  return assembleEspImage(segments, { chipId: facts.id, entry: facts.iram + 0x40, ...options });
}

/** The segments of a valid application, so that a test can spoil one and assemble again. */
export function appSegments(options: EspAppOptions = {}): EspSegment[] {
  const facts = ESP_CHIPS[options.chip ?? "esp32s3"];
  const seed = options.seed ?? 1;
  const room = Math.max((options.size ?? 3072) - 640, 512);
  const part = (share: number) => Math.floor(room * share / 4) * 4;
  const constants = concatBytes(appDescriptor(options), codeLikeBytes(part(0.25), seed));
  const segments: EspSegment[] = [
    {
      address: (facts.data === facts.code ? facts.data + 0x800000 : facts.data) + FIRST_DATA,
      data: constants,
    },
    { address: facts.dram, data: codeLikeBytes(Math.min(part(0.1), 0x4000), seed + 1) },
    { address: facts.iram, data: codeLikeBytes(Math.min(part(0.15), 0x8000), seed + 2) },
  ];
  let offset = 24 + segments.reduce((sum, segment) => sum + 8 + segment.data.length, 0);
  if (room > PADDED_LAYOUT) {
    // As esptool does: a segment loaded nowhere moves the code to the start of a page.
    const gap = (MMU_PAGE + FIRST_DATA - 8 - (offset + 8) % MMU_PAGE + MMU_PAGE) % MMU_PAGE;
    segments.push({ address: 0, data: new Uint8Array(gap) });
    offset += 8 + gap;
  }
  const code = Math.max(Math.floor(((options.size ?? 3072) - offset - 56) / 4) * 4, 64);
  segments.push({
    address: facts.code + (offset + 8) % MMU_PAGE,
    data: codeLikeBytes(code, seed + 3),
  });
  return segments;
}

/** esp_app_desc_t, 256 bytes. */
export function appDescriptor(options: EspDescriptorOptions = {}): Bytes {
  const descriptor = new Uint8Array(DESCRIPTOR_LENGTH);
  const view = new DataView(descriptor.buffer);
  view.setUint32(0, options.descriptorMagic ?? 0xabcd5432, true);
  view.setUint32(4, options.secureVersion ?? 0, true);
  descriptor.set(fixedText(options.version ?? "1.0.0", 32), 16);
  descriptor.set(fixedText(options.project ?? "thermo", 32), 48);
  descriptor.set(fixedText(options.time ?? "10:11:12", 16), 80);
  descriptor.set(fixedText(options.date ?? "Feb  3 2026", 16), 96);
  descriptor.set(fixedText(options.idfVersion ?? "v5.4.1", 32), 112);
  descriptor.set(options.elfSha256 ?? sha256(fixedText(options.project ?? "thermo", 32)), 144);
  view.setUint16(176, options.minEfuseRevision ?? 0, true);
  view.setUint16(178, options.maxEfuseRevision ?? 0, true);
  descriptor[180] = options.mmuPageLog2 ?? 16;
  return descriptor;
}

/** Header, segments, checksum and SHA-256 around any segments, valid or not. */
export function assembleEspImage(
  segments: readonly EspSegment[],
  options: EspHeaderOptions & Pick<EspAppOptions, "padByte"> = {},
): Bytes {
  const parts: Uint8Array[] = [imageHeader(segments.length, options)];
  let checksum = 0xef;
  for (const { address, data } of segments) {
    parts.push(u32le(address), u32le(data.length), data);
    for (const byte of data) checksum ^= byte;
  }
  const end = parts.reduce((sum, part) => sum + part.length, 0);
  parts.push(new Uint8Array(15 - end % 16).fill(options.padByte ?? 0), Uint8Array.of(checksum));
  const image = concatBytes(...parts);
  return options.hashAppended ?? true ? concatBytes(image, sha256(image)) : image;
}

/** SHA-256, synchronously: builders are pure. */
export function sha256(bytes: Uint8Array): Bytes {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

function imageHeader(count: number, options: EspHeaderOptions): Bytes {
  const header = new Uint8Array(24);
  const view = new DataView(header.buffer);
  header[0] = options.magic ?? 0xe9;
  header[1] = options.segmentCount ?? count;
  header[2] = options.spiMode ?? 2;
  header[3] = options.spiSpeedSize ?? 0x2f;
  view.setUint32(4, options.entry ?? 0, true);
  header[8] = options.wpPin ?? 0xee;
  view.setUint16(12, options.chipId ?? 0, true);
  // Neither 16-bit revision is aligned: 0x0F and 0x11.
  view.setUint16(15, options.minRevision ?? 0, true);
  view.setUint16(17, options.maxRevision ?? 0xffff, true);
  view.setUint32(19, options.reserved ?? 0, true);
  header[23] = options.hashAppended ?? true ? 1 : 0;
  return header;
}
