import { assertEquals } from "@std/assert";
import { chips } from "../../src/image/chip.ts";
import { isSameDevice, parseDeviceName } from "../../src/image/device_name.ts";

const variants: readonly (readonly [text: string, chip: string, variant?: string])[] = [
  ["ESP32-S3R8", "esp32s3", "r8"],
  ["esp32s2r2", "esp32s2", "r2"],
  ["esp32-s3", "esp32s3"],
  ["esp32_c3_fh4", "esp32c3", "fh4"],
  ["esp32s3n16r8v", "esp32s3", "n16r8v"],
  ["esp32c61", "esp32c61"],
  ["esp32c6", "esp32c6"],
  ["esp32-h21", "esp32h21"],
  ["esp32s31r8", "esp32s31", "r8"],
  ["ESP8684", "esp32c2"],
  ["ESP8685H2", "esp32c3"],
  ["ESP32-PICO-D4", "esp32"],
  ["ESP32-U4WDH", "esp32"],
  ["ESP32-D0WDQ6", "esp32"],
];

Deno.test("parseDeviceName: a chip in any spelling, with or without a memory variant", () => {
  for (const [text, chip, variant] of variants) {
    const expected = variant === undefined ? { chip } : { chip, variant };
    assertEquals(parseDeviceName(text) as unknown, expected, text);
  }
});

Deno.test("parseDeviceName: every chip of the table by its own name", () => {
  for (const { name } of chips) assertEquals(parseDeviceName(name), { chip: name });
});

Deno.test("parseDeviceName: what is no chip of this family is not named", () => {
  for (const text of ["", "esp8266", "rp2040", "esp32x", "esp32s3-devkit", "esp32c7", "x".repeat(100_000)]) {
    assertEquals(parseDeviceName(text), undefined, text.slice(0, 20));
  }
});

Deno.test("isSameDevice: memory variants are one chip, and what is no chip is compared by its letters", () => {
  const pairs: [left: string, right: string, isSame: boolean][] = [
    ["esp32s3r8", "ESP32-S3", true],
    ["esp32s3", "esp32s31", false],
    ["esp32s3", "board-7", false],
    ["board-7", "Board 7", true],
    ["board-7", "board-8", false],
  ];
  for (const [left, right, isSame] of pairs) {
    assertEquals(isSameDevice(left, right), isSame, `${left} ${right}`);
  }
});
