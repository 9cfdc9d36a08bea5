import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { inspectImage } from "../../src/image/esp_image.ts";
import { judgeImage } from "../../src/image/image_policy.ts";
import type { ImageInspection } from "../../src/image/image_inspection.ts";
import { type Bytes, concatBytes } from "../builders/esp_bytes.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import { secureBootKey, signV2 } from "../builders/esp_secure_boot.ts";
import { bytesSource } from "./bytes_source.ts";
import { mutate, mutations } from "./mutations.ts";

/** The chips whose images are mutated: each family of address ranges. */
const CHIPS = ["esp32", "esp32s2", "esp32s3", "esp32c3", "esp32c6"] as const;
/** 5 chips x (2800 with a SHA-256 + 800 without + 400 signed) = 20,000 mutations. */
const RUNS = { hashed: 2800, plain: 800, signed: 400 };
/** Each chip has mutations of its own, the same in every run. */
const FIRST_SEED = 20_000;
/** A policy that asks for nothing; the device is of no known chip, so no chip is the wrong one. */
const LENIENT = {
  device: "any",
  requireSecureBootSignature: false,
  trustedKeyDigests: [],
  forced: new Set<never>(),
};
/** First bytes by which kinds of files are told apart, and an image's header. */
const MAGICS = [
  "e9 ea04 7f454c46 5546320a 3a 504b0304 1f8b08 fd377a585a00 28b52ffd 425a68 3c 7b aa5001 aa50".split(" "),
  "10decdfc cfb68807 45535000 3db8f396 ff 00 e901022fd0000040ee0000000900000000ffff0000000001".split(" "),
].flat();

Deno.test("inspectImage: no mutation that changes an image with a SHA-256 leaves it intact", async (test) => {
  for (const [index, chip] of CHIPS.entries()) {
    await test.step(chip, async () => {
      const image = buildEspApp({ chip, size: 1500 });
      let undetected = 0;
      await inspectMutations(
        image,
        { seed: FIRST_SEED + index, numRuns: RUNS.hashed },
        (mutated, inspection) => {
          if (isIntact(inspection) && !sameStart(mutated, image, image.length)) undetected++;
        },
      );
      assertEquals(undetected, 0);
    });
  }
});

Deno.test("inspectImage: without a SHA-256 nothing is ever called intact", async (test) => {
  let changed = 0;
  let unverified = 0;
  for (const [index, chip] of CHIPS.entries()) {
    await test.step(chip, async () => {
      const image = buildEspApp({ chip, size: 1500, hashAppended: false });
      await inspectMutations(
        image,
        { seed: FIRST_SEED + index, numRuns: RUNS.plain },
        (mutated, inspection) => {
          // A mutation may set the hash flag and stumble upon nothing that would confirm it.
          assert(!isIntact(inspection), "intact without a SHA-256");
          if (sameStart(mutated, image, image.length)) return;
          changed++;
          if (
            inspection.kind === "application" && inspection.integrity.verdict === "unverified"
          ) unverified++;
        },
      );
    });
  }
  // What a checksum of one byte cannot see: pairs of equal flips, header fields, load addresses.
  console.log(
    `without a SHA-256: ${unverified} of ${changed} changes pass the checksum, reported as unverified`,
  );
  assert(unverified > 0 && unverified < changed / 2, `${unverified} of ${changed}`);
});

Deno.test("inspectImage: no mutation of signed bytes leaves a signature valid", async (test) => {
  for (const [index, chip] of CHIPS.entries()) {
    await test.step(chip, async () => {
      const file = signV2(buildEspApp({ chip, size: 1500 }), secureBootKey("p256"));
      await inspectMutations(
        file,
        { seed: FIRST_SEED + index, numRuns: RUNS.signed },
        (mutated, inspection) => {
          if (inspection.kind !== "application") return;
          const intact = sameStart(mutated, file, 4096);
          for (const { valid } of inspection.signatures) {
            assert(intact || valid !== true, "valid over altered bytes");
          }
        },
      );
    });
  }
});

Deno.test("inspectImage: arbitrary bytes after every magic are told apart without an exception", async () => {
  const files = fc.tuple(
    fc.constantFrom(...MAGICS),
    fc.uint8Array({ maxLength: 700, size: "max" }),
    fc.nat(2),
  );
  const property = fc.asyncProperty(files, async ([magic, tail, repeats]) => {
    const file = concatBytes(Uint8Array.fromHex(magic), ...Array.from({ length: repeats + 1 }, () => tail));
    const source = bytesSource(file);
    const inspection = await inspectImage(source);
    assertSafe(inspection);
    assert(!isIntact(inspection));
  });
  await fc.assert(property, { seed: FIRST_SEED, numRuns: 5000 });
});

/** Inspects `numRuns` mutations; an exception of any kind, or too much reading, fails the run that did it. */
async function inspectMutations(
  image: Bytes,
  run: { seed: number; numRuns: number },
  ...[judge]: [(mutated: Bytes, inspection: ImageInspection) => void]
): Promise<void> {
  const property = fc.asyncProperty(mutations, async (mutation) => {
    const mutated = mutate(image, mutation);
    const source = bytesSource(mutated);
    const inspection = await inspectImage(source);
    judge(mutated, inspection);
    assertSafe(inspection);
    // Lengths in the file buy neither memory nor time: a few passes, windows of constant size.
    assert(source.bytesRead <= 4 * mutated.length + 0x10000, `${source.bytesRead} bytes read`);
    assert(source.largestRead <= 0x100000, `a buffer of ${source.largestRead} bytes`);
  });
  await fc.assert(property, run);
}

/** What is known to be wrong is refused, and no text of the file reaches a terminal as a command to it. */
function assertSafe(inspection: ImageInspection): void {
  const { refusals, warnings } = judgeImage(inspection, LENIENT);
  const isKnownBad = inspection.kind === "mistaken" ||
    ["corrupt", "truncated"].includes(inspection.integrity.verdict);
  if (isKnownBad) assert(refusals.length > 0, "known to be wrong and not refused");
  const said = JSON.stringify([inspection, refusals, warnings]);
  assert(!/\\u00[0-9a-f]{2}|\\[bfnrt]|[\u007f-\u009f]/.test(said), said);
}

function isIntact(inspection: ImageInspection): boolean {
  return inspection.kind === "application" && inspection.integrity.verdict === "intact";
}

function sameStart(left: Uint8Array, right: Uint8Array, length: number): boolean {
  return left.length >= length && right.subarray(0, length).every((byte, index) => byte === left[index]);
}
