import { maximumRevision } from "./chip_revision.ts";

/** First four bytes of the descriptor, as a little-endian number. */
const descriptorMagic = 0xabcd5432;

/** Where it stands in a file: it is the beginning of the first segment's data. */
export const descriptorOffset = 0x20;

/** Bytes of the descriptor. */
export const descriptorLength = 256;

/** What an application says about itself (`esp_app_desc_t`); texts are empty where the build left them out. */
export interface AppDescriptor {
  /** `CONFIG_APP_PROJECT_VER` or `git describe`. */
  readonly version: string;
  /** The project's name. */
  readonly project: string;
  /** `HH:MM:SS` of the build. */
  readonly time: string;
  /** `Mmm dd yyyy` of the build. */
  readonly date: string;
  /** The ESP-IDF it was built with. */
  readonly idfVersion: string;
  /** Anti-rollback counter; 0 where the feature is off. */
  readonly secureVersion: number;
  /** SHA-256 of the ELF file in hex; absent where the build did not fill it in. */
  readonly appElfSha256?: string;
  /** Lowest eFuse block revision it runs with, major * 100 + minor. */
  readonly minEfuseBlockRevision: number;
  /** Highest eFuse block revision; absent where none is set. */
  readonly maxEfuseBlockRevision?: number;
  /** Bytes of a page of the flash mapping; absent where the descriptor does not say. */
  readonly mmuPageSize?: number;
  /** Flash mode it was built for, since ESP-IDF 6.1; absent where not said. */
  readonly flashMode?: string;
}

/** Numbered differently from the mode in the image header. */
const flashModes = [undefined, "QIO", "QOUT", "DIO", "DOUT", "OPI"];
/** Logarithms of the page sizes ESP-IDF accepts: 8 KB to 256 KB. */
const pageExponents = { least: 13, most: 18 };

/**
 * Reads the descriptor out of the first segment's data, or nothing when its magic is not there: images of
 * ESP-IDF before 3.3, of Zephyr and NuttX have none.
 */
export function parseAppDescriptor(segmentData: Uint8Array): AppDescriptor | undefined {
  if (segmentData.length < descriptorLength) return undefined;
  const bytes = segmentData.subarray(0, descriptorLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, descriptorLength);
  if (view.getUint32(0, true) !== descriptorMagic) return undefined;
  const elf = bytes.subarray(144, 176);
  const maxEfuseBlockRevision = maximumRevision(view.getUint16(178, true));
  const exponent = view.getUint8(180);
  const flashMode = flashModes[view.getUint8(181)];
  return {
    version: printableText(bytes.subarray(16, 48)),
    project: printableText(bytes.subarray(48, 80)),
    time: printableText(bytes.subarray(80, 96)),
    date: printableText(bytes.subarray(96, 112)),
    idfVersion: printableText(bytes.subarray(112, 144)),
    secureVersion: view.getUint32(4, true),
    ...(elf.some((byte) => byte !== 0) ? { appElfSha256: elf.toHex() } : {}),
    minEfuseBlockRevision: view.getUint16(176, true),
    ...(maxEfuseBlockRevision === undefined ? {} : { maxEfuseBlockRevision }),
    ...(exponent >= pageExponents.least && exponent <= pageExponents.most
      ? { mmuPageSize: 2 ** exponent }
      : {}),
    ...(flashMode === undefined ? {} : { flashMode }),
  };
}

/** Whether the magic of an application descriptor stands where an application has it. */
export function hasAppMagic(head: Uint8Array): boolean {
  if (head.length < descriptorOffset + 4) return false;
  return new DataView(head.buffer, head.byteOffset).getUint32(descriptorOffset, true) === descriptorMagic;
}

/**
 * A fixed field's text up to its first NUL, which need not be there. The bytes are a stranger's: what is not
 * UTF-8 becomes U+FFFD, and control and formatting characters, which could forge a terminal's lines, go.
 */
export function printableText(field: Uint8Array): string {
  const nul = field.indexOf(0);
  const text = new TextDecoder().decode(nul < 0 ? field : field.subarray(0, nul));
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "").trim();
}
