import { assert, assertEquals } from "@std/assert";
import { inspectImage } from "../../src/image/esp_image.ts";
import { bytesSource } from "./bytes_source.ts";
import { damagedSignatures } from "./verdict_cases/damaged_signatures.ts";
import { mistakenFiles } from "./verdict_cases/mistaken_files.ts";
import { oddImages } from "./verdict_cases/odd_images.ts";
import { tamperedImages } from "./verdict_cases/tampered_images.ts";
import { validImages } from "./verdict_cases/valid_images.ts";
import { verdictOf } from "./verdict_cases/verdict_case.ts";

const TABLES = { validImages, tamperedImages, oddImages, damagedSignatures, mistakenFiles };

for (const [table, cases] of Object.entries(TABLES)) {
  Deno.test(`inspectImage: ${table}`, async (test) => {
    for (const { name, file, want } of cases) {
      await test.step(name, async () => {
        const inspection = await inspectImage(bytesSource(file()));
        assertEquals(verdictOf(inspection, want), want);
      });
    }
  });
}

Deno.test("verdict cases: at least 120, each with a name of its own", () => {
  const names = Object.values(TABLES).flat().map(({ name }) => name);
  assert(names.length >= 120, String(names.length));
  assertEquals(new Set(names).size, names.length);
});
