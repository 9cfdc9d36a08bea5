import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inspectImage } from "../../src/image/esp_image.ts";
import { imageTable, toImageJson } from "../../src/image/image_table.ts";
import { concatBytes, filledBytes } from "../builders/esp_bytes.ts";
import { buildBootloader, buildMergedFlash } from "../builders/esp_flash_files.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import { secureBootKey, signV2 } from "../builders/esp_secure_boot.ts";
import { BytesInMemory, handMadeImage, noise, padded, withByte } from "./hand_made_image.ts";
import { schemaFaults } from "./json_schema.ts";

const image = handMadeImage(undefined, { pinDrive: [0x21, 0x43, 0x65] });
const hash = image.subarray(-32).toHex();
const bootloader = handMadeImage([{ address: 0x3fff_0018, data: new Uint8Array(4) }]);
const files: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ["application", image],
  ["without SHA-256", handMadeImage(undefined, { hash: false })],
  ["truncated", image.slice(0, 300)],
  ["malformed", withByte(image, 1, 200)],
  ["corrupt", withByte(image, 0x128, 0)],
  ["v1-signed", Uint8Array.of(...image, 0, 0, 0, 0, ...noise(64))],
  ["damaged v2 block", Uint8Array.of(...padded(image, 4096), 0xe7, ...new Uint8Array(4095))],
  ["trailing bytes", Uint8Array.of(...image, ...noise(99))],
  ["unknown chip", handMadeImage(undefined, { chipId: 0x1234 })],
  ["bootloader", bootloader],
  ["bootloader with a descriptor", buildBootloader("esp32c6")],
  ["noise", noise(4096)],
  ["empty", new Uint8Array(0)],
];
const schema: Record<string, unknown> = JSON.parse(
  await Deno.readTextFile(new URL("../../docs/schemas/image.schema.json", import.meta.url)),
);

Deno.test("toImageJson: is as docs/schemas/image.schema.json says", async () => {
  for (const [name, bytes] of files) {
    const json = toImageJson(await inspectImage(new BytesInMemory(bytes)));
    assertEquals(JSON.parse(JSON.stringify(json)), json, name);
    assertEquals(schemaFaults(json, schema), [], name);
  }
});

Deno.test("image.schema.json: tells what is not an inspection", async () => {
  const json = toImageJson(await inspectImage(new BytesInMemory(image)));
  for (const wrong of [{}, { ...json, more: 1 }, { ...json, size: -1 }, { ...json, kind: "other" }, null]) {
    assert(schemaFaults(wrong, schema).length > 0);
  }
});

Deno.test("imageTable: every field a firmware engineer looks for", async () => {
  const table = imageTable(await inspectImage(new BytesInMemory(image))).join("\n");
  const wanted = [
    "Chip                  esp32 (id 0)",
    "Chip revision         v0.0 to v3.99 (legacy minimum 0)",
    "Entry point           0x40080004",
    "Flash mode            DIO",
    "Flash size            4 MB",
    "Flash frequency       80 MHz",
    "WP pin                0xee (disabled)",
    "Pin drive             clk 1, q 2, d 3, cs 4, hd 5, wp 6",
    "Segments              2",
    "   0  0x3f400020  0x000100  0x00000020  DROM",
    "   1  0x40080000  0x000008  0x00000128  IRAM",
    "Integrity             intact",
    "Checksum              0x18 (valid)",
    `Validation hash       ${hash} (valid)`,
    "Image length          352 bytes",
    "Project name          thermo",
    "App version           1.2.3",
    "Compile time          Jan  1 2026 12:34:56",
    "ESP-IDF               v5.4.1",
    "Secure version        0",
    `ELF file SHA-256      ${"ab".repeat(32)}`,
    "eFuse block revision  v0.1 to v1.99",
    "MMU page size         64 KB",
    "Secure Boot           not signed",
  ];
  for (const line of wanted) assertStringIncludes(`\n${table}\n`, `\n${line}\n`);
});

Deno.test("imageTable: lengths and key of a signed image, and what follows it", async () => {
  const key = secureBootKey("rsa3072");
  const signed = concatBytes(signV2(buildEspApp(), key), filledBytes(100, 0x41));
  const table = imageTable(await inspectImage(new BytesInMemory(signed))).join("\n");
  const wanted = [
    "Image length          3072 bytes, 8192 bytes with the signature",
    "Trailing bytes        100 of data at 0x00002000",
    "Secure Boot           v2-rsa, block 0, valid",
    `Public key digest     ${key.digest}`,
  ];
  for (const line of wanted) assertStringIncludes(`\n${table}\n`, `\n${line}\n`);
  const plain = imageTable(await inspectImage(new BytesInMemory(padded(image, 400)))).join("\n");
  assertStringIncludes(plain, "\nTrailing bytes        48 of padding at 0x00000160\n");
});

Deno.test("imageTable: what a bootloader says of itself, where it does", async () => {
  const lines = async (file: Uint8Array) =>
    `${imageTable(await inspectImage(new BytesInMemory(file))).join("\n")}\n`;
  const table = await lines(withByte(withByte(buildBootloader("esp32c6"), 0x23, 3), 0x24, 7));
  const wanted = [
    "Bootloader version    7",
    "Compile time          Feb  3 2026 10:11:12",
    "ESP-IDF               v5.4.1",
    "Secure version        3",
  ];
  for (const line of wanted) assertStringIncludes(table, `\n${line}\n`);
  assertStringIncludes(
    await lines(buildMergedFlash({ chip: "esp32c6" })),
    "\nBootloader version    1\n",
  );
  assertStringIncludes(
    await lines(buildBootloader("esp32c6", { descriptor: false })),
    "\nApp descriptor        none\n",
  );
});

Deno.test("imageTable: what is wrong is said where the value stands", async () => {
  const lines = async (bytes: Uint8Array) =>
    imageTable(await inspectImage(new BytesInMemory(bytes))).join("\n");
  assertStringIncludes(await lines(withByte(image, 0x128, 0)), "(invalid, computed 0x19)");
  assertStringIncludes(await lines(image.slice(0, 300)), "truncated in segment 1 data, ");
  assertStringIncludes(await lines(image.slice(0, 300)), "1 of the 2 announced");
  assertStringIncludes(await lines(bootloader), "File                  a bootloader, 80 bytes");
});

Deno.test("imageTable: a hostile text stays on its line", async () => {
  const forged = image.slice();
  forged.set(new TextEncoder().encode("x\nIntegrity  intact\x1b[31m"), 0x30);
  for (const line of imageTable(await inspectImage(new BytesInMemory(forged)))) {
    assert(!/\p{Cc}/u.test(line), line);
  }
});
