import { type Chip, chipOfId } from "./chip.ts";
import { maximumRevision } from "./chip_revision.ts";

/** First byte of every image. */
export const imageMagic = 0xe9;

/** Bytes of the header, after which the first segment header stands. */
export const headerLength = 24;

/** The 24 bytes at the beginning of an image, decoded. */
export interface ImageHeader {
  /** How many segments follow. */
  readonly segmentCount: number;
  /** Address at which the application starts. */
  readonly entry: number;
  /** How the flash is to be read and how large it is said to be. */
  readonly flash: FlashSettings;
  /** GPIO of the flash's write-protect pin; 0xEE means none. */
  readonly wpPin: number;
  /** Drive strength of the flash pins: clk, q, d, cs, hd, wp. */
  readonly pinDrive: readonly number[];
  /** All 16 bits of the chip id. */
  readonly chipId: number;
  /** The superseded minimum revision: major for most chips, minor for esp32c3. */
  readonly legacyMinRevision: number;
  /** Minimum revision as stored, major * 100 + minor. */
  readonly minRevisionFull: number;
  /** Maximum revision as stored; 0 and 0xFFFF mean none. */
  readonly maxRevisionFull: number;
  /** Four reserved bytes as one number, normally 0. */
  readonly reserved: number;
  /** Whether a SHA-256 follows the checksum: 0 no, 1 yes; devices take anything else for yes. */
  readonly hashFlag: number;
}

/** The flash settings of an image. */
export interface FlashSettings {
  /** `QIO`, `QOUT`, `DIO`, `DOUT`, `FAST_READ` or `SLOW_READ`. */
  readonly mode: string;
  /** Bytes; absent when the code is not a known one. */
  readonly size?: number;
  /** With its unit, such as `80 MHz`; the code's meaning depends on the chip. */
  readonly frequency: string;
}

const flashModes = ["QIO", "QOUT", "DIO", "DOUT", "FAST_READ", "SLOW_READ"];
/** Codes 0 to 7 mean 1 MB to 128 MB. */
const lastSizeCode = 7;
const mebibyte = 1024 * 1024;

/** Decodes a header. `bytes` are the first 24 of the file; every value of them is possible. */
export function parseImageHeader(bytes: Uint8Array): ImageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerLength);
  const chipId = view.getUint16(0x0c, true);
  return {
    segmentCount: view.getUint8(1),
    entry: view.getUint32(4, true),
    flash: flashSettings(view, chipOfId(chipId)),
    wpPin: view.getUint8(8),
    pinDrive: [9, 10, 11].flatMap((offset) => [view.getUint8(offset) & 15, view.getUint8(offset) >> 4]),
    chipId,
    legacyMinRevision: view.getUint8(0x0e),
    minRevisionFull: view.getUint16(0x0f, true),
    maxRevisionFull: view.getUint16(0x11, true),
    reserved: view.getUint32(0x13, true),
    hashFlag: view.getUint8(0x17),
  };
}

/** The revisions a header allows; the old one-byte minimum counts where the new field is not used. */
export function revisionsOf(header: ImageHeader): { minRevision: number; maxRevision?: number } {
  const legacy = chipOfId(header.chipId)?.name === "esp32c3"
    ? header.legacyMinRevision
    : header.legacyMinRevision * 100;
  const minRevision = header.minRevisionFull === 0 ? legacy : header.minRevisionFull;
  const maxRevision = maximumRevision(header.maxRevisionFull);
  return maxRevision === undefined ? { minRevision } : { minRevision, maxRevision };
}

function flashSettings(view: DataView, chip: Chip | undefined): FlashSettings {
  const modeCode = view.getUint8(2);
  const frequencyCode = view.getUint8(3) & 15;
  const sizeCode = view.getUint8(3) >> 4;
  const megahertz = chip?.flashFrequencies[frequencyCode];
  return {
    mode: flashModes[modeCode] ?? `unknown (${modeCode})`,
    ...(sizeCode <= lastSizeCode ? { size: 2 ** sizeCode * mebibyte } : {}),
    frequency: megahertz === undefined ? `unknown (${frequencyCode})` : `${megahertz} MHz`,
  };
}
