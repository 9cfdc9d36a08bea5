import { assertEquals } from "@std/assert";
import { chips, identifyChip } from "../../src/image/chip.ts";
import { formatRevision, formatRevisionRange, maximumRevision } from "../../src/image/chip_revision.ts";

Deno.test("chips: ids and names are each unique", () => {
  assertEquals(new Set(chips.map(({ id }) => id)).size, chips.length);
  assertEquals(new Set(chips.map(({ name }) => name)).size, chips.length);
});

Deno.test("identifyChip: all 16 bits count, and retired ids are named as such", () => {
  assertEquals(identifyChip(9), { id: 9, name: "esp32s3", status: "stable" });
  assertEquals(identifyChip(4), { id: 4, name: "esp32s3-beta2", status: "pre-production" });
  assertEquals(identifyChip(0x0109), { id: 0x109, name: "unknown chip 0x0109", status: "unknown" });
});

Deno.test("formatRevisionRange: as people write revisions", () => {
  assertEquals(formatRevision(301), "v3.1");
  assertEquals(formatRevisionRange(0, 99), "v0.0 to v0.99");
  assertEquals(formatRevisionRange(3), "v0.3 or later");
  assertEquals(formatRevisionRange(0), "any");
  assertEquals([0, 0xffff, 199].map(maximumRevision), [undefined, undefined, 199]);
});
