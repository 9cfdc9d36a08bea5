import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { inspectImage } from "../../src/image/esp_image.ts";
import type { ApplicationImage, MistakenFile } from "../../src/image/image_inspection.ts";
import {
  applicationSegments,
  BytesInMemory,
  handMadeImage,
  little,
  noise,
  padded,
  withByte,
} from "./hand_made_image.ts";

async function application(bytes: Uint8Array): Promise<ApplicationImage> {
  const inspection = await inspectImage(new BytesInMemory(bytes));
  assert(inspection.kind === "application", JSON.stringify(inspection));
  return inspection;
}

async function mistaken(bytes: Uint8Array): Promise<MistakenFile> {
  const inspection = await inspectImage(new BytesInMemory(bytes));
  assert(inspection.kind === "mistaken", JSON.stringify(inspection));
  return inspection;
}

Deno.test("inspectImage: an application's header, segments and lengths", async () => {
  const { chip, header, segments, integrity, plainLength, fullLength, findings, maxRevision } =
    await application(handMadeImage());
  assertEquals(chip, { id: 0, name: "esp32", status: "stable" });
  assertEquals(header.entry, 0x4008_0004);
  assertEquals(header.flash, { mode: "DIO", size: 4 * 1024 * 1024, frequency: "80 MHz" });
  assertEquals(segments.map(({ memory, offset, length }) => [memory, offset, length]), [
    ["DROM", 0x20, 256],
    ["IRAM", 0x128, 8],
  ]);
  assertEquals([integrity.verdict, plainLength, fullLength, maxRevision], ["intact", 352, 352, 399]);
  assertEquals(findings, []);
});

Deno.test("inspectImage: each way of altering a byte, and what notices it", async () => {
  const image = handMadeImage();
  const data = 0x128;
  const cases: [string, Uint8Array, string, string | undefined][] = [
    ["data byte", withByte(image, data, 0x55), "corrupt", "checksum"],
    ["two that cancel", withByte(withByte(image, data, 1 ^ 8), data + 1, 2 ^ 8), "corrupt", "sha256"],
    ["header", withByte(image, 4, 0), "corrupt", "sha256"],
    ["pad byte", withByte(image, 0x130, 1), "corrupt", "sha256"],
    ["the checksum", withByte(image, 319, 0), "corrupt", "checksum"],
    ["the SHA-256", withByte(image, 351, 0), "corrupt", "sha256"],
    ["segment count", withByte(image, 1, 1), "corrupt", "checksum"],
    ["length of a segment", withByte(image, 0x124, 7), "corrupt", "segment 1 header"],
  ];
  for (const [name, bytes, verdict, where] of cases) {
    const { integrity } = await application(bytes);
    assertEquals([integrity.verdict, integrity.where as string | undefined], [verdict, where], name);
  }
});

Deno.test("inspectImage: a file cut anywhere is truncated, by as much as is missing where that is known", async () => {
  const image = handMadeImage();
  for (let length = 24; length < image.length; length++) {
    const { integrity } = await application(image.slice(0, length));
    assertEquals(integrity.verdict, "truncated", `at ${length}`);
    const { missing = 0, missingIsExact } = integrity;
    assert(missing > 0 && missing <= image.length - length, `at ${length}: ${missing}`);
    if (missingIsExact) assertEquals(missing, image.length - length, `at ${length}`);
  }
  assertEquals((await application(image.slice(0, 340))).integrity.where, "sha256");
  assertEquals((await application(image.slice(0, 319))).integrity.where, "checksum");
  assertEquals((await application(image.slice(0, 300))).integrity.where, "segment 1 data");
  assertEquals((await application(image.slice(0, 290))).integrity.where, "segment 1 header");
});

Deno.test("inspectImage: without a SHA-256 an image is unverified, never intact", async () => {
  const image = handMadeImage(applicationSegments(), { hash: false });
  assertEquals((await application(image)).integrity.verdict, "unverified");
});

Deno.test("inspectImage: what follows an image is described", async () => {
  const image = handMadeImage();
  assertEquals((await application(padded(image, 400))).trailing, {
    offset: 352,
    length: 48,
    content: "padding",
  });
  const { trailing, findings } = await application(Uint8Array.of(...image, ...noise(48)));
  assertEquals(trailing?.content, "data");
  assertEquals(findings.map(({ code }) => code), ["trailing-data"]);
  const { findings: padding } = await application(padded(image, 4096));
  assertEquals(padding.map(({ code }) => code), ["padded-not-signed"]);
});

Deno.test("inspectImage: the old minimum revision counts where the new field is not used", async () => {
  const old = { legacy: 3, min: 0, max: 0 };
  assertEquals((await application(handMadeImage(undefined, { revisions: old }))).minRevision, 300);
  const segments = applicationSegments().map((segment, index) =>
    index === 0 ? { ...segment, address: 0x3c00_0020 } : segment
  );
  const c3 = await application(handMadeImage(segments, { chipId: 5, revisions: old }));
  assertEquals([c3.minRevision, c3.maxRevision], [3, undefined]);
});

Deno.test("inspectImage: esp32p4 has its memory that survives deep sleep behind the other chips'", async () => {
  const [first, second] = applicationSegments();
  assert(first && second);
  const memories = async (chipId: number, flash: number, address: number) => {
    const segments = [{ ...first, address: flash + 0x20 }, { ...second, address }];
    return (await application(handMadeImage(segments, { chipId }))).segments[1]?.memory;
  };
  const p4 = (address: number) => memories(18, 0x4000_0000, address);
  assertEquals(
    await Promise.all([0x5010_7ffc, 0x5010_8000, 0x5010_fffc, 0x5011_0000, 0x5000_0000].map(p4)),
    ["RAM", "RTC", "RTC", "RAM", "RAM"],
  );
  assertEquals(await memories(13, 0x4200_0000, 0x5000_0000), "RTC");
});

Deno.test("inspectImage: an image that cannot be mapped from the flash is an error of every device", async () => {
  const [first, second] = applicationSegments();
  assert(first && second);
  const { findings } = await application(handMadeImage([{ ...first, address: 0x3f40_0024 }, second]));
  assertEquals(findings.map(({ severity, code }) => [severity, code]), [["error", "misaligned-segment"]]);
});

Deno.test("inspectImage: a merged image names the place of the application in it", async () => {
  const image = handMadeImage();
  const bootloader = handMadeImage([{ address: 0x3fff_0018, data: new Uint8Array(4) }]);
  const table = Uint8Array.of(0xaa, 0x50, 0, 0x10, ...little(0x1_0000, 4), ...little(0x10_0000, 4));
  const merged = new Uint8Array(0x1_0000 + image.length).fill(0xff);
  merged.set(bootloader, 0x1000);
  merged.set(table, 0x8000);
  merged.set(image, 0x1_0000);
  const whole = await mistaken(merged);
  assertEquals([whole.what, whole.applicationOffset], ["merged-image", 0x1_0000]);
  const fromBootloader = await mistaken(merged.slice(0x1000));
  assertEquals([fromBootloader.what, fromBootloader.applicationOffset], ["merged-image", 0xf000]);
  assertEquals((await mistaken(bootloader)).what, "bootloader");
});

Deno.test("inspectImage: reads the file once, whatever its structure says", async () => {
  const source = new BytesInMemory(handMadeImage());
  await inspectImage(source);
  // head, two segment headers, signature sector, v1 signature, the pass over all bytes
  assert(source.reads <= 6, String(source.reads));
});

Deno.test("inspectImage: no bytes make it throw or call them intact, with the magic or without", async () => {
  const anything = fc.uint8Array({ maxLength: 600 });
  const header = fc.tuple(fc.integer({ min: 0, max: 18 }), fc.uint8Array({ minLength: 22, maxLength: 500 }))
    .map(([count, rest]) => Uint8Array.of(0xe9, count, ...rest));
  await fc.assert(
    fc.asyncProperty(fc.oneof(anything, header), async (bytes) => {
      const inspection = await inspectImage(new BytesInMemory(bytes));
      const facts = inspection.kind === "application" ? inspection : inspection.image;
      assert(facts?.integrity.verdict !== "intact");
    }),
    { seed: 20260801, numRuns: 1000 },
  );
});
