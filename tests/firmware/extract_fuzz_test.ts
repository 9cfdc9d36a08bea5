import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { FirmwareError } from "../../src/firmware/firmware_error.ts";
import type { Compression } from "../builders/oci_layer.ts";
import {
  tarArchive,
  tarDirectory,
  tarFile,
  tarGlobalPax,
  tarHardLink,
  tarOpaque,
  tarSymlink,
} from "../builders/tar.ts";
import { buildModel, filesIn, lookUp, stacks, tarEntries } from "./overlay_model.ts";
import { bytesLayer, type CountedLayer, extract, tarLayer, text } from "./stand_in_layers.ts";

const COMPRESSIONS: readonly Compression[] = ["gzip", "multi-gzip", "zstd", "none"];

/** What an extraction ends with: content, or the code of its refusal. Anything else is thrown. */
async function endOf(layers: readonly CountedLayer[], path?: string): Promise<string> {
  try {
    return text((await extract({ layers, ...(path === undefined ? {} : { path }) })).content);
  } catch (error) {
    if (error instanceof FirmwareError) return error.code;
    throw error;
  }
}

Deno.test("extractFirmware: random stacks give what the naive model gives", async () => {
  const path = fc.constantFrom(undefined, "firmware/app", "a/b", "/a/firmware", "app");
  await fc.assert(
    fc.asyncProperty(stacks(), path, fc.constantFrom(...COMPRESSIONS), async (stack, path, compression) => {
      const layers = stack.map((steps, layer) => tarLayer(tarEntries(steps, layer), { compression }));
      const end = await endOf(layers, path);
      const model = buildModel(stack);
      if (path !== undefined) {
        const expected = lookUp(model, path);
        assertEquals(["none-found", "unsupported-link"].includes(end) ? undefined : end, expected);
        return;
      }
      const files = filesIn(model, "firmware");
      const [only] = files;
      // A link in the place of the directory and dead links have refusals of their own, tested by name.
      if (end === "unsupported-link" || (files.length === 0 && !end.endsWith("-found"))) return;
      const expected = files.length === 1 && only !== undefined ? lookUp(model, only) : undefined;
      assertEquals(end, expected ?? (files.length === 0 ? "none-found" : "several-found"));
    }),
    { seed: 9, numRuns: 250 },
  );
});

/** An archive with one of everything. */
const ARCHIVE = tarArchive([
  tarGlobalPax({ comment: "built" }),
  tarDirectory("firmware"),
  tarFile(`firmware/${"long/".repeat(30)}notes`, "notes"),
  tarOpaque("firmware"),
  tarFile("opt/v2.bin", "v2".repeat(700), { base256: true }),
  tarHardLink("opt/latest.bin", "opt/v2.bin"),
  tarSymlink("firmware/app.bin", "../opt/latest.bin"),
]);

/** Bytes to overwrite, and where to cut. */
const damage = fc.record({
  writes: fc.array(fc.tuple(fc.nat(20_000), fc.nat(255)), { maxLength: 4 }),
  cut: fc.option(fc.nat(20_000), { freq: 3 }),
});

function damaged(
  whole: Uint8Array<ArrayBuffer>,
  { writes, cut }: { readonly writes: readonly (readonly [number, number])[]; readonly cut: number | null },
): Uint8Array<ArrayBuffer> {
  const spoiled = whole.slice(0, cut === null ? whole.length : cut % (whole.length + 1));
  for (const [at, value] of writes) if (spoiled.length > 0) spoiled[at % spoiled.length] = value;
  return spoiled;
}

Deno.test("extractFirmware: a damaged archive ends with the firmware or a refusal, and leaves nothing", async () => {
  await fc.assert(
    fc.asyncProperty(damage, fc.constantFrom(...COMPRESSIONS), async (harm, compression) => {
      // Damaged before it was packed: all digests are right, and only the archive's own reading can refuse.
      const layer = bytesLayer(damaged(ARCHIVE, harm), { compression, chunkSize: 700 });
      await endOf([layer], "firmware/app.bin");
      await endOf([layer]);
    }),
    { seed: 10, numRuns: 400 },
  );
});

Deno.test("extractFirmware: a damaged compressed stream ends with a refusal or the true content", async () => {
  await fc.assert(
    fc.asyncProperty(
      damage,
      fc.constantFrom<Compression>("gzip", "multi-gzip", "zstd"),
      async (harm, compression) => {
        const whole = tarLayer([tarFile("firmware/app.bin", "content ".repeat(500))], { compression });
        const blob = new Uint8Array(
          await new Response(whole.open(new AbortController().signal)).arrayBuffer(),
        );
        // The blob's own digest is right again, so that only the decompressor and the diffID stand in the way.
        const spoiled = bytesLayer(damaged(blob, harm), { chunkSize: 50, diffId: whole.diffId ?? null });
        const end = await endOf([spoiled]);
        assertEquals(
          ["corrupt-archive", "content-mismatch", "content ".repeat(500)].includes(end),
          true,
          end,
        );
      },
    ),
    { seed: 11, numRuns: 400 },
  );
});
