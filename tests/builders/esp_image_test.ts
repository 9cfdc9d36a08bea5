import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { ESP_CHIP_NAMES, ESP_CHIPS } from "./esp_chips.ts";
import { appSegments, buildEspApp } from "./esp_image.ts";
import { espLayout } from "./esp_layout.ts";

const SIZES = [0, 3072, 70_000, 300_000];

Deno.test("buildEspApp: the size asked for is met within a kilobyte", () => {
  for (const size of [3072, 70_000, 300_000, 1 << 20]) {
    const { length } = buildEspApp({ size });
    assert(Math.abs(length - size) < 1024, `${length} for ${size}`);
  }
});

Deno.test("buildEspApp: the same options give the same bytes, another seed does not", () => {
  assertEquals(buildEspApp({ seed: 4 }), buildEspApp({ seed: 4 }));
  assertNotEquals(buildEspApp({ seed: 4 }), buildEspApp({ seed: 5 }));
});

Deno.test("buildEspApp: fields stand at the offsets of the format, two of them unaligned", () => {
  const image = buildEspApp({
    chip: "esp32p4",
    version: "1.2.0",
    project: "thermo",
    secureVersion: 7,
    minRevision: 301,
    maxRevision: 399,
    idfVersion: "v5.4.1",
    minEfuseRevision: 102,
  });
  const view = new DataView(image.buffer);
  const text = (at: number, length: number) =>
    new TextDecoder().decode(image.subarray(at, at + length)).replace(/\0.*$/s, "");
  assertEquals([image[0], image[1], image[8], image[23]], [0xe9, 4, 0xee, 1]);
  assertEquals([view.getUint16(12, true), view.getUint16(15, true), view.getUint16(17, true)], [
    18,
    301,
    399,
  ]);
  assertEquals([...image.subarray(0x20, 0x24)], [0x32, 0x54, 0xcd, 0xab]);
  assertEquals([view.getUint32(0x24, true), view.getUint16(0xd0, true), image[0xd4]], [7, 102, 16]);
  assertEquals([text(0x30, 32), text(0x50, 32), text(0x90, 32)], ["1.2.0", "thermo", "v5.4.1"]);
});

Deno.test("buildEspApp: checksum and SHA-256 hold for every chip and size", async () => {
  for (const chip of ESP_CHIP_NAMES) {
    for (const size of SIZES) {
      const image = buildEspApp({ chip, size });
      const { segments, checksum, digest, end } = espLayout(image);
      let folded = 0xef;
      for (const { data, end } of segments) image.subarray(data, end).forEach((byte) => folded ^= byte);
      assertEquals(image[checksum], folded);
      assertEquals([digest % 16, end], [0, image.length]);
      const expected = await crypto.subtle.digest("SHA-256", image.subarray(0, digest));
      assertEquals(image.subarray(digest), new Uint8Array(expected));
    }
  }
});

Deno.test("buildEspApp: mapped segments agree with their flash offset modulo the MMU page", () => {
  for (const chip of ESP_CHIP_NAMES) {
    for (const size of SIZES) {
      const layout = espLayout(buildEspApp({ chip, size }));
      const segments = appSegments({ chip, size });
      const mapped = [0, segments.length - 1];
      for (const index of mapped) {
        const offset = layout.segments[index]?.data ?? -1;
        assertEquals((segments[index]?.address ?? 0) % 0x10000, offset % 0x10000);
      }
      const ram = segments.map(({ address }) => address).slice(1, 3);
      assertEquals(ram, [ESP_CHIPS[chip].dram, ESP_CHIPS[chip].iram]);
    }
  }
});

Deno.test("buildEspApp: without a hash the header says so and nothing follows the checksum", () => {
  const image = buildEspApp({ hashAppended: false });
  const { checksum } = espLayout(image);
  assertEquals([image[23], image.length], [0, checksum + 1]);
});
