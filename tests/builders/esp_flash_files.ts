import { createHash } from "node:crypto";
import {
  type Bytes,
  codeLikeBytes,
  concatBytes,
  filledBytes,
  fixedText,
  noiseBytes,
  padBytes,
  u32le,
  withBytes,
} from "./esp_bytes.ts";
import { ESP_CHIPS, type EspChip } from "./esp_chips.ts";
import { assembleEspImage, buildEspApp, type EspSegment } from "./esp_image.ts";

/** One row of a partition table. */
export interface PartitionEntry {
  /** 0 is an application, 1 is data. */
  readonly type: number;
  /** For an application 0 is factory, 0x10 and on are ota_0 and on. */
  readonly subtype: number;
  /** Flash offset. */
  readonly offset: number;
  /** Length in flash. */
  readonly size: number;
  /** Name, at most 16 bytes. */
  readonly label: string;
}

/** How a merged flash image is put together. */
export interface MergedFlashOptions {
  /** Chip, which decides where the bootloader stands. */
  readonly chip: EspChip;
  /** Flash offset of the partition table; 0x8000 unless given. */
  readonly tableOffset?: number;
  /** Flash offset of the application; 0x10000 unless given. */
  readonly appOffset?: number;
  /** Flash offset at which the file begins (`--target-offset`); 0 unless given. */
  readonly targetOffset?: number;
  /** The application; a small one unless given. */
  readonly app?: Uint8Array;
}

/** A second-stage bootloader: RAM segments only; `descriptor` as ESP-IDF writes it since v5.2. */
export function buildBootloader(
  chip: EspChip,
  options: { descriptor?: boolean; size?: number } = {},
): Bytes {
  const facts = ESP_CHIPS[chip];
  const size = options.size ?? 0x4000;
  const first = options.descriptor ?? true
    ? concatBytes(bootloaderDescriptor(), codeLikeBytes(0x300, 11))
    : codeLikeBytes(0x20, 11);
  const [data, loader, code] = chip === "esp32"
    ? [0x3fff0030, 0x40078000, 0x40080400]
    : [facts.dram, facts.iram + 0x4000, facts.iram];
  const segments: EspSegment[] = [
    { address: data, data: first },
    { address: loader, data: codeLikeBytes(size * 3 / 4, 12) },
    { address: code, data: codeLikeBytes(size / 4, 13) },
  ];
  return assembleEspImage(segments, { chipId: facts.id, entry: code + 0x10 });
}

/** An image whose every segment loads to RAM: a RAM test application, with no descriptor of any kind. */
export function buildRamOnlyImage(chip: EspChip, firstSegment = 0x800): Bytes {
  const facts = ESP_CHIPS[chip];
  const segments = [
    { address: facts.iram, data: codeLikeBytes(firstSegment, 21) },
    { address: facts.dram, data: codeLikeBytes(0x200, 22) },
  ];
  return assembleEspImage(segments, { chipId: facts.id, entry: facts.iram + 4, hashAppended: false });
}

/** `--ram-only-header`: RAM segments declared, flash segments hidden after the checksum, no SHA, odd length. */
export function buildSimpleBootImage(chip: EspChip, firstSegment = 0x800): Bytes {
  return concatBytes(buildRamOnlyImage(chip, firstSegment), codeLikeBytes(0x1234, 23));
}

/** The entries of a table with two OTA slots, 1 MB each, the first at `appOffset`. */
export function twoSlotEntries(appOffset = 0x10000): PartitionEntry[] {
  return [
    { type: 1, subtype: 2, offset: 0x9000, size: 0x4000, label: "nvs" },
    { type: 1, subtype: 0, offset: 0xd000, size: 0x2000, label: "otadata" },
    { type: 1, subtype: 1, offset: 0xf000, size: 0x1000, label: "phy_init" },
    { type: 0, subtype: 0x10, offset: appOffset, size: 0x100000, label: "ota_0" },
    { type: 0, subtype: 0x11, offset: appOffset + 0x100000, size: 0x100000, label: "ota_1" },
  ];
}

/** partition-table.bin: entries, the entry with their MD5, and 0xFF to 0xC00 bytes. */
export function buildPartitionTable(entries: readonly PartitionEntry[] = twoSlotEntries()): Bytes {
  const rows = entries.map(({ type, subtype, offset, size, label }) =>
    concatBytes(
      Uint8Array.of(0xaa, 0x50, type, subtype),
      u32le(offset),
      u32le(size),
      fixedText(label, 16),
      u32le(0),
    )
  );
  const listed = concatBytes(...rows);
  const md5 = createHash("md5").update(listed).digest();
  return padBytes(concatBytes(listed, Uint8Array.of(0xeb, 0xeb), filledBytes(14, 0xff), md5), 0xc00);
}

/** ota_data_initial.bin: two erased sectors. */
export function buildOtaDataInitial(): Bytes {
  return filledBytes(0x2000, 0xff);
}

/** What `merge_bin` writes: bootloader, table and application at their flash offsets, 0xFF between. */
export function buildMergedFlash(options: MergedFlashOptions): Bytes {
  const { chip, tableOffset = 0x8000, appOffset = 0x10000, targetOffset = 0 } = options;
  const app = options.app ?? buildEspApp({ chip });
  const flash = filledBytes(appOffset + app.length, 0xff);
  flash.set(buildBootloader(chip), ESP_CHIPS[chip].bootloaderOffset);
  flash.set(buildPartitionTable(twoSlotEntries(appOffset)), tableOffset);
  flash.set(app, appOffset);
  return flash.slice(targetOffset);
}

/** bootloader-reflash-digest.bin of Secure Boot version 1: 192 random bytes, 0xFF to 0x1000, the bootloader. */
export function buildDigestedBootloader(): Bytes {
  return concatBytes(padBytes(noiseBytes(192, 31), 0x1000), buildBootloader("esp32"));
}

/** A dump of an application as flash encryption left it: noise, a multiple of 16 long. */
export function buildEncryptedDump(length = 0x8000): Bytes {
  // The first byte is no magic of any kind.
  return withBytes(noiseBytes(length, 41), 0, [0x93, 0x21]);
}

/** bootloader_unsigned_v2.bin: an image filled with 0xFF to whole sectors, as before signing, but unsigned. */
export function buildPaddedUnsigned(chip: EspChip, length = 0x8000): Bytes {
  return padBytes(buildEspApp({ chip }), length);
}

/** esp_bootloader_desc_t, 80 bytes: magic 0x50, reserved, secure version, version, ESP-IDF, build time. */
function bootloaderDescriptor(): Bytes {
  return concatBytes(
    Uint8Array.of(0x50, 0, 0, 0),
    u32le(1),
    fixedText("v5.4.1", 32),
    fixedText("Feb  3 2026 10:11:12", 24),
    new Uint8Array(16),
  );
}
