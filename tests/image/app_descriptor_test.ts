import { assertEquals } from "@std/assert";
import { parseAppDescriptor, printableText } from "../../src/image/app_descriptor.ts";
import { handMadeDescriptor, withByte } from "./hand_made_image.ts";

Deno.test("parseAppDescriptor: every field", () => {
  assertEquals(parseAppDescriptor(handMadeDescriptor(7)), {
    version: "1.2.3",
    project: "thermo",
    time: "12:34:56",
    date: "Jan  1 2026",
    idfVersion: "v5.4.1",
    secureVersion: 7,
    appElfSha256: "ab".repeat(32),
    minEfuseBlockRevision: 1,
    maxEfuseBlockRevision: 199,
    mmuPageSize: 65536,
    flashMode: "DIO",
  });
});

Deno.test("parseAppDescriptor: nothing without the magic or with too few bytes", () => {
  assertEquals(parseAppDescriptor(withByte(handMadeDescriptor(), 0, 0)), undefined);
  assertEquals(parseAppDescriptor(handMadeDescriptor().subarray(0, 255)), undefined);
});

Deno.test("parseAppDescriptor: a page size no device accepts is not reported", () => {
  for (const exponent of [0, 12, 19, 255]) {
    const descriptor = parseAppDescriptor(withByte(handMadeDescriptor(), 180, exponent));
    assertEquals(descriptor?.mmuPageSize, undefined);
  }
});

Deno.test("printableText: a stranger's text cannot forge lines or hide", () => {
  const shown = (text: string) => printableText(new TextEncoder().encode(text));
  assertEquals(shown("v1\x1b[2J\r\nERROR fake"), "v1[2JERROR fake");
  assertEquals(shown("a\u202egpj.exe\u200b"), "agpj.exe");
  assertEquals(shown("v1\0garbage"), "v1");
  assertEquals(shown("naïve ✓"), "naïve ✓");
  assertEquals(printableText(Uint8Array.of(0x76, 0xff, 0x31)), "v\ufffd1");
});
