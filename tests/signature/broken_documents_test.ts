import { assertEquals } from "@std/assert";
import { checkSignature } from "../../src/check_signature.ts";
import { parseReference } from "../../src/registry/reference.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";
import { SignatureError } from "../../src/signature/signature_error.ts";
import { buildFirmwareImage, type OciImage } from "../builders/oci_image.ts";
import {
  bundleReferrer,
  keyBundle,
  keyLayer,
  signatureManifest,
  signatureTag,
  signingKey,
  signStatement,
  simpleSigningPayload,
} from "../builders/signatures.ts";
import { startRegistry } from "../lab/registry.ts";
import {
  answer,
  blobRequests,
  corrupt,
  type FaultAction,
  hugeBody,
  manifestRequests,
} from "../lab/registry_fault.ts";
import { NEVER, openTestRegistry, testWorld, WANTED } from "../registry/registry_rig.ts";

const KEY = signingKey();

/** One signature, and what the registry makes of a document of it. */
interface BrokenCase {
  readonly name: string;
  readonly form: "tag" | "referrer";
  readonly spoiled: "manifest" | "content";
  readonly fault: FaultAction;
  /** Without a good signature behind it, and with one. */
  readonly ends: readonly [alone: string, followed: string];
}

const PASSED_OVER = ["bad-bundle", "verified"] as const;
const SCHEMA_1 = JSON.stringify({ schemaVersion: 1, fsLayers: [] });

const CASES: readonly BrokenCase[] = [
  // an absent tag is no signature at all
  { name: "absent", form: "tag", spoiled: "manifest", fault: answer(404), ends: ["missing", "verified"] },
  { name: "no document", form: "tag", spoiled: "manifest", fault: answer(200, {}, "{}"), ends: PASSED_OVER },
  { name: "schema 1", form: "tag", spoiled: "manifest", fault: answer(200, {}, SCHEMA_1), ends: PASSED_OVER },
  { name: "endless", form: "tag", spoiled: "manifest", fault: hugeBody(1 << 23), ends: PASSED_OVER },
  { name: "absent", form: "tag", spoiled: "content", fault: answer(404), ends: PASSED_OVER },
  { name: "altered", form: "tag", spoiled: "content", fault: corrupt(60), ends: PASSED_OVER },
  { name: "absent", form: "referrer", spoiled: "manifest", fault: answer(404), ends: PASSED_OVER },
  { name: "altered", form: "referrer", spoiled: "manifest", fault: corrupt(60), ends: PASSED_OVER },
  { name: "endless", form: "referrer", spoiled: "manifest", fault: hugeBody(1 << 23), ends: PASSED_OVER },
  { name: "absent", form: "referrer", spoiled: "content", fault: answer(404), ends: PASSED_OVER },
  { name: "altered", form: "referrer", spoiled: "content", fault: corrupt(60), ends: PASSED_OVER },
  // no answer is never "no signature", nor is it known what would have been found
  ...(["tag", "referrer"] as const).flatMap((form) =>
    (["manifest", "content"] as const).flatMap((spoiled): readonly BrokenCase[] => [
      { name: "denied", form, spoiled, fault: answer(403), ends: ["auth-refused", "auth-refused"] },
      { name: "failing", form, spoiled, fault: answer(501), ends: ["registry-failure", "registry-failure"] },
    ])
  ),
];

/** Stores a signature that is spoiled, and perhaps a good one behind it; how the check of the image ends. */
async function ends(test: BrokenCase, isFollowed: boolean): Promise<string> {
  await using registry = await startRegistry();
  const platforms = [{ architecture: WANTED.architecture, firmware: new Uint8Array(64).fill(0xe9) }];
  const image = buildFirmwareImage({ format: "oci", platforms });
  const name = registry.put(image, "acme/fw", "v1");
  const { digest } = image.descriptor;
  const signed = { digest, reference: `${registry.host}/acme/fw` };
  const referrer = (annotations: Record<string, string>): OciImage =>
    bundleReferrer(keyBundle(signStatement({ ...signed, annotations }), KEY), image.descriptor);
  const tag = signatureTag(digest);

  const stored = test.form === "tag"
    ? signatureManifest([keyLayer(simpleSigningPayload(signed), KEY)])
    : referrer({});
  registry.put(stored, "acme/fw", ...(test.form === "tag" ? [tag] : []));
  if (isFollowed) registry.put(referrer({ of: "another run" }), "acme/fw");
  const match = test.spoiled === "content"
    ? blobRequests(stored.blobs.at(-1)?.descriptor.digest)
    : manifestRequests(test.form === "tag" ? tag : stored.descriptor.digest);
  const fault = registry.fault({ match, action: test.fault });

  const key = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(key, KEY.publicPem);
    const world = testWorld();
    using client = openTestRegistry({}, world);
    const resolved = await client.resolveImage(parseReference(name), WANTED, { signal: NEVER });
    const context = { registry: client, world, signal: NEVER, warn: () => {} };
    return (await checkSignature(resolved, { mode: "require", keys: [key] }, context)).state;
  } catch (failure) {
    if (failure instanceof SignatureError || failure instanceof RegistryError) return failure.code;
    throw failure;
  } finally {
    await Deno.remove(key);
    assertEquals(fault.hits > 0, true, "the fault was met");
  }
}

Deno.test("checkSignature: a document that cannot be read refuses its signature, not the good one behind it", async (test) => {
  for (const broken of CASES) {
    await test.step(`${broken.form}, ${broken.spoiled} ${broken.name}`, async () => {
      assertEquals([await ends(broken, false), await ends(broken, true)], [...broken.ends]);
    });
  }
});
