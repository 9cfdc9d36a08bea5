import { concatBytes, filledBytes, noiseBytes, padBytes, withBytes } from "../../builders/esp_bytes.ts";
import { ESP_CHIP_NAMES, ESP_CHIPS } from "../../builders/esp_chips.ts";
import {
  buildEsp8266Eboot,
  buildEsp8266V1,
  buildEsp8266V2,
  buildEsp8266V3,
} from "../../builders/esp_8266.ts";
import {
  buildBootloader,
  buildDigestedBootloader,
  buildEncryptedDump,
  buildMergedFlash,
  buildOtaDataInitial,
  buildPartitionTable,
  buildRamOnlyImage,
  buildSimpleBootImage,
  twoSlotEntries,
} from "../../builders/esp_flash_files.ts";
import { buildEspApp } from "../../builders/esp_image.ts";
import {
  build7z,
  buildBzip2,
  buildCompressedOta,
  buildCompressedOtaType2,
  buildDeltaPatch,
  buildElf,
  buildGzip,
  buildHtmlPage,
  buildIntelHex,
  buildJsonError,
  buildMcuboot,
  buildPreEncrypted,
  buildUf2,
  buildUstar,
  buildXz,
  buildZip,
  buildZstd,
} from "../../builders/esp_mistaken_files.ts";
import { secureBootKey, signV2 } from "../../builders/esp_secure_boot.ts";
import type { VerdictCase, WantedVerdict } from "./verdict_case.ts";

const app = buildEspApp();

/** Files that are no application at all, and what must be said of each. */
export const mistakenFiles: VerdictCase[] = [
  mistaken("empty file", () => new Uint8Array(0), { kind: "empty" }),
  mistaken("one byte", () => Uint8Array.of(0xe9), { kind: "not-an-image" }),
  mistaken("23 bytes of an image", () => app.slice(0, 23), { kind: "not-an-image" }),
  mistaken("erased flash, 1 MiB", () => filledBytes(1 << 20, 0xff), { kind: "empty" }),
  mistaken("zeros", () => filledBytes(4096, 0), { kind: "empty" }),
  mistaken("ota_data_initial.bin", buildOtaDataInitial, { kind: "empty", says: /ota_data/i }),
  mistaken("ELF for RISC-V", () => buildElf("riscv"), { kind: "elf", says: /\.bin/ }),
  mistaken("ELF for Xtensa", () => buildElf("xtensa"), { kind: "elf" }),
  mistaken("UF2", () => buildUf2(app), { kind: "uf2" }),
  mistaken("Intel HEX", () => buildIntelHex(app), { kind: "intel-hex" }),
  mistaken("zip", () => buildZip("thermo.bin", app), { kind: "archive", says: /zip/i }),
  mistaken("gzip", () => buildGzip(app), { kind: "archive", says: /gzip/i }),
  mistaken("gzip of a layer", () => buildGzip(buildUstar("firmware/thermo.bin", app)), { kind: "archive" }),
  mistaken("xz", buildXz, { kind: "archive", says: /xz/i }),
  mistaken("bzip2", buildBzip2, { kind: "archive", says: /bzip2/i }),
  mistaken("zstd", () => buildZstd(app), { kind: "archive", says: /zstd/ }),
  mistaken("7z", build7z, { kind: "archive", says: /7z/ }),
  mistaken("tar of a layer", () => buildUstar("firmware/thermo.bin", app), { kind: "archive", says: /tar/i }),
  mistaken("HTML error page", buildHtmlPage, { kind: "text-page", says: /HTML/ }),
  mistaken("JSON error", buildJsonError, { kind: "text-page", says: /JSON/ }),
  mistaken(
    "HTML with a byte order mark",
    () => concatBytes(Uint8Array.of(0xef, 0xbb, 0xbf), buildHtmlPage()),
    {
      kind: "text-page",
    },
  ),
  mistaken("plain text", () => new TextEncoder().encode("404 page not found\n".repeat(3)), {
    kind: "text-page",
  }),
  mistaken("partition table", () => buildPartitionTable(), { kind: "partition-table" }),
  mistaken("partition table of one entry", () => buildPartitionTable(twoSlotEntries().slice(3, 4)), {
    kind: "partition-table",
  }),
  mistaken("ESP8266 version 1", buildEsp8266V1, { kind: "esp8266" }),
  mistaken("ESP8266 version 2", buildEsp8266V2, { kind: "esp8266" }),
  mistaken("ESP8266 version 3", buildEsp8266V3, { kind: "esp8266" }),
  mistaken("ESP8266 Arduino with eboot", buildEsp8266Eboot, { kind: "esp8266" }),
  mistaken("MCUboot image", buildMcuboot, { kind: "mcuboot" }),
  mistaken("delta patch", () => buildDeltaPatch(app), { kind: "delta-patch" }),
  mistaken("pre-encrypted update", () => buildPreEncrypted(app), { kind: "encrypted" }),
  mistaken("compressed update, header version 1", () => buildCompressedOta(1), { kind: "compressed" }),
  mistaken("compressed update, header version 2", () => buildCompressedOta(2), { kind: "compressed" }),
  mistaken("compressed update, header version 3", () => buildCompressedOta(3), { kind: "compressed" }),
  mistaken("compressed update, type 2", () => buildCompressedOtaType2("esp32s3"), { kind: "compressed" }),
  mistaken("flash-encrypted dump", () => buildEncryptedDump(), { kind: "encrypted", says: /encrypt/i }),
  mistaken("flash-encrypted dump of 1 MiB", () => buildEncryptedDump(1 << 20), { kind: "encrypted" }),
  mistaken(
    "noise whose length is no multiple of 16",
    () => withBytes(noiseBytes(0x8003, 5), 0, [0x93, 0x21]),
    {
      kind: "not-an-image",
    },
  ),
  mistaken("Secure Boot v1 digested bootloader", buildDigestedBootloader, { kind: "bootloader" }),
  mistaken("RAM-only image", () => buildRamOnlyImage("esp32c3"), { kind: "ram-image", chip: "esp32c3" }),
  mistaken("simple-boot image", () => buildSimpleBootImage("esp32s3"), { kind: "ram-image" }),
  mistaken("simple-boot image with a small first segment", () => buildSimpleBootImage("esp32s3", 0x20), {
    kind: "ram-image",
  }),
  mistaken("bootloader signed with v2", () => signV2(buildBootloader("esp32s3"), secureBootKey("rsa3072")), {
    kind: "bootloader",
  }),
  mistaken("corrupt bootloader", () => withBytes(buildBootloader("esp32c6"), 0x400, [1, 2, 3, 4]), {
    kind: "bootloader",
    integrity: "corrupt",
  }),
  ...ESP_CHIP_NAMES.flatMap((chip): VerdictCase[] => [
    mistaken(`${chip}: bootloader with a descriptor`, () => buildBootloader(chip), {
      kind: "bootloader",
      chip,
      integrity: "intact",
    }),
    mistaken(`${chip}: bootloader of before v5.2`, () => buildBootloader(chip, { descriptor: false }), {
      kind: "bootloader",
      chip,
    }),
    mistaken(`${chip}: merged flash image`, () => buildMergedFlash({ chip }), {
      kind: "merged-image",
      applicationOffset: 0x10000,
      says: /0x10000/,
    }),
    mistaken(
      `${chip}: merged flash image from its bootloader on (target offset)`,
      () => buildMergedFlash({ chip, targetOffset: ESP_CHIPS[chip].bootloaderOffset }),
      { kind: "merged-image", applicationOffset: 0x10000 - ESP_CHIPS[chip].bootloaderOffset },
    ),
  ]),
  mistaken(
    "merged flash image with its table at 0x10000",
    () => buildMergedFlash({ chip: "esp32s3", tableOffset: 0x10000, appOffset: 0x20000 }),
    { kind: "merged-image", applicationOffset: 0x20000 },
  ),
  mistaken(
    "merged flash image of ESP32 with its table at 0x9000",
    () => buildMergedFlash({ chip: "esp32", tableOffset: 0x9000, appOffset: 0x20000 }),
    { kind: "merged-image", applicationOffset: 0x20000 },
  ),
  mistaken(
    "merged flash image filled to 4 MiB",
    () => {
      const merged = buildMergedFlash({ chip: "esp32c3" });
      return concatBytes(merged, filledBytes((4 << 20) - merged.length, 0xff));
    },
    { kind: "merged-image", applicationOffset: 0x10000 },
  ),
  mistaken(
    "merged flash image whose table was left out",
    () => withBytes(buildMergedFlash({ chip: "esp32c3" }), 0x8000, filledBytes(0xc00, 0xff)),
    { kind: "merged-image", applicationOffset: 0x10000 },
  ),
  mistaken(
    "merged flash image of bootloader and table alone",
    () => buildMergedFlash({ chip: "esp32c3" }).slice(0, 0x9000),
    { kind: "merged-image", applicationOffset: -1 },
  ),
  mistaken(
    "merged flash image whose first partition for an application is empty",
    () => {
      const merged = buildMergedFlash({ chip: "esp32", appOffset: 0x110000 });
      return withBytes(merged, 0x8000, buildPartitionTable());
    },
    { kind: "merged-image", applicationOffset: 0x110000 },
  ),
  mistaken(
    "bootloader with another bootloader where an application is usual",
    () => {
      const bootloader = buildBootloader("esp32s3");
      return concatBytes(padBytes(bootloader, 0x10000), bootloader);
    },
    { kind: "bootloader", chip: "esp32s3" },
  ),
  mistaken("no segments", () => withBytes(app, 1, [0]), { kind: "not-an-image" }),
  mistaken("application with a wrong first byte", () => withBytes(app, 0, [0xe8]), { kind: "not-an-image" }),
  mistaken("application shifted by one byte", () => concatBytes(Uint8Array.of(0x0a), app), {
    kind: "not-an-image",
  }),
];

function mistaken(name: string, file: VerdictCase["file"], want: WantedVerdict): VerdictCase {
  return { name, file, want };
}
