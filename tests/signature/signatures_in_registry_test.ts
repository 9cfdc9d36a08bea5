import { assertEquals } from "@std/assert";
import { demandSignature } from "../../src/check_signature.ts";
import { parseReference } from "../../src/registry/reference.ts";
import { RegistryError, type RegistryErrorCode } from "../../src/registry/registry_error.ts";
import { SignatureError, type SignatureErrorCode } from "../../src/signature/signature_error.ts";
import type { SignatureFlags } from "../../src/signature/signature_rule.ts";
import { buildFirmwareImage, buildIndex, type OciImage } from "../builders/oci_image.ts";
import {
  bundleReferrer,
  certificateBundle,
  certificateLayer,
  keyBundle,
  keyLayer,
  signatureManifest,
  signatureTag,
  signingKey,
  signStatement,
  simpleSigningPayload,
} from "../builders/signatures.ts";
import { SIGNING_TIME, sigstoreInstance } from "../builders/sigstore_instance.ts";
import { available, startDockerRegistry } from "../lab/docker_registry.ts";
import { startRegistry } from "../lab/registry.ts";
import { NEVER, openTestRegistry, testWorld, WANTED } from "../registry/registry_rig.ts";

const KEY = signingKey();
const OTHER_KEY = signingKey();
const SIGSTORE = await sigstoreInstance();
const SIGNER = { identity: "builder@acme.example", issuer: "https://login.acme.example" };
const OTHER_DIGEST = `sha256:${"ab".repeat(32)}`;

/** A registry that keeps what it is given, on loopback. */
interface TestRegistry {
  readonly host: string;
  put(image: OciImage, repository: string, tag?: string): string | Promise<string>;
}

/** One image in a repository of its own, and what makes and stores its signatures. */
interface Scene {
  readonly image: OciImage;
  /** As a payload names it. */
  readonly reference: string;
  readonly digest: string;
  tag(layers: Parameters<typeof signatureManifest>[0]): Promise<void>;
  refer(bundle: unknown): Promise<void>;
}

/** What is stored, and how the check with the flags ends. */
interface SignatureCase {
  readonly name: string;
  readonly flags: SignatureFlags;
  readonly ends: "accepted" | SignatureErrorCode | RegistryErrorCode;
  store(scene: Scene): Promise<void>;
}

const files = await Deno.makeTempDir();
globalThis.addEventListener("unload", () => Deno.removeSync(files, { recursive: true }));
await Deno.writeTextFile(`${files}/key.pub`, KEY.publicPem);
await Deno.writeTextFile(`${files}/root.json`, JSON.stringify(SIGSTORE.trustedRoot));

const BY_KEY: SignatureFlags = { mode: "require", keys: [`${files}/key.pub`] };
const BY_CERTIFICATE: SignatureFlags = { mode: "require", ...SIGNER, trustedRoot: `${files}/root.json` };

const signer = async (request: Partial<typeof SIGNER> = {}, time = SIGNING_TIME) => ({
  certificate: await SIGSTORE.issue({ ...SIGNER, ...request }),
  sigstore: SIGSTORE,
  time,
});
const LATE = new Date(SIGNING_TIME.getTime() + 3_600_000);

const CASES: readonly SignatureCase[] = [
  { name: "no signature", flags: BY_KEY, ends: "missing", store: () => Promise.resolve() },
  {
    name: "tag, key",
    flags: BY_KEY,
    ends: "accepted",
    store: (scene) => scene.tag([keyLayer(simpleSigningPayload(scene), KEY, SIGSTORE)]),
  },
  {
    name: "tag, another key",
    flags: BY_KEY,
    ends: "wrong-key",
    store: (scene) => scene.tag([keyLayer(simpleSigningPayload(scene), OTHER_KEY, SIGSTORE)]),
  },
  {
    name: "tag, another digest",
    flags: BY_KEY,
    ends: "wrong-digest",
    store: (scene) => scene.tag([keyLayer(simpleSigningPayload({ ...scene, digest: OTHER_DIGEST }), KEY)]),
  },
  {
    name: "tag, copied from another image's repository",
    flags: BY_KEY,
    ends: "wrong-reference",
    store: (scene) =>
      scene.tag([keyLayer(simpleSigningPayload({ ...scene, reference: "other.test/fw" }), KEY)]),
  },
  {
    name: "tag, altered payload",
    flags: BY_KEY,
    ends: "altered-payload",
    store: (scene) => {
      const genuine = keyLayer(simpleSigningPayload({ ...scene, digest: OTHER_DIGEST }), KEY, SIGSTORE);
      return scene.tag([{ ...genuine, bytes: simpleSigningPayload(scene) }]);
    },
  },
  {
    name: "tag, annotation missing",
    flags: { ...BY_KEY, annotations: ["repo=acme"] },
    ends: "missing-annotation",
    store: (scene) => scene.tag([keyLayer(simpleSigningPayload(scene), KEY)]),
  },
  {
    name: "tag, certificate",
    flags: BY_CERTIFICATE,
    ends: "accepted",
    store: async (scene) => scene.tag([certificateLayer(simpleSigningPayload(scene), await signer())]),
  },
  {
    name: "tag, expired certificate",
    flags: BY_CERTIFICATE,
    ends: "expired-certificate",
    store: async (scene) =>
      scene.tag([certificateLayer(simpleSigningPayload(scene), await signer({}, LATE))]),
  },
  {
    name: "tag, another identity",
    flags: BY_CERTIFICATE,
    ends: "wrong-identity",
    store: async (scene) =>
      scene.tag([
        certificateLayer(simpleSigningPayload(scene), await signer({ identity: "eve@acme.example" })),
      ]),
  },
  {
    name: "referrer, key",
    flags: { ...BY_KEY, annotations: ["repo=acme"] },
    ends: "accepted",
    store: (scene) => scene.refer(keyBundle(signStatement({ ...scene, annotations: { repo: "acme" } }), KEY)),
  },
  {
    name: "referrer, another key",
    flags: BY_KEY,
    ends: "wrong-key",
    store: (scene) => scene.refer(keyBundle(signStatement(scene), OTHER_KEY)),
  },
  {
    name: "referrer, another digest",
    flags: BY_KEY,
    ends: "wrong-digest",
    store: (scene) => scene.refer(keyBundle(signStatement({ ...scene, digest: OTHER_DIGEST }), KEY)),
  },
  {
    name: "referrer, altered payload",
    flags: BY_KEY,
    ends: "altered-payload",
    store: (scene) => {
      const bundle = keyBundle(signStatement({ ...scene, digest: OTHER_DIGEST }), KEY);
      const payload = signStatement(scene).toBase64();
      return scene.refer({ ...bundle, dsseEnvelope: { ...Object(bundle["dsseEnvelope"]), payload } });
    },
  },
  {
    name: "referrer, annotation missing",
    flags: { ...BY_KEY, annotations: ["repo=acme"] },
    ends: "missing-annotation",
    store: (scene) => scene.refer(keyBundle(signStatement(scene), KEY)),
  },
  {
    name: "referrer, certificate",
    flags: BY_CERTIFICATE,
    ends: "accepted",
    store: async (scene) => scene.refer(certificateBundle(signStatement(scene), await signer())),
  },
  {
    name: "referrer, expired certificate",
    flags: BY_CERTIFICATE,
    ends: "expired-certificate",
    store: async (scene) => scene.refer(certificateBundle(signStatement(scene), await signer({}, LATE))),
  },
  {
    name: "referrer, another issuer",
    flags: BY_CERTIFICATE,
    ends: "wrong-issuer",
    store: async (scene) =>
      scene.refer(certificateBundle(signStatement(scene), await signer({ issuer: "https://evil.example" }))),
  },
];

/** Stores the case's signatures in a new repository and checks the image as the job does. */
async function run(registry: TestRegistry, hasReferrersApi: boolean, test: SignatureCase): Promise<string> {
  const repository = test.name.replaceAll(/\W+/g, "-");
  const image = buildFirmwareImage({
    format: "oci",
    platforms: [{ architecture: WANTED.architecture, firmware: new Uint8Array(64).fill(0xe9) }],
  });
  const name = await registry.put(image, repository, "v1");
  const digest = image.descriptor.digest;
  await test.store({
    image,
    reference: `${registry.host}/${repository}`,
    digest,
    tag: async (layers) =>
      void await registry.put(signatureManifest(layers), repository, signatureTag(digest)),
    refer: async (bundle) => {
      const referrer = bundleReferrer(bundle, image.descriptor);
      const fallback = buildIndex({ format: "oci", entries: [referrer] });
      if (hasReferrersApi) await registry.put(referrer, repository);
      else await registry.put(fallback, repository, digest.replace(":", "-"));
    },
  });
  const world = testWorld();
  using client = openTestRegistry({}, world);
  const resolved = await client.resolveImage(parseReference(name), WANTED, { signal: NEVER });
  try {
    const warn = (): void => {};
    await demandSignature(resolved, test.flags, { registry: client, world, signal: NEVER, warn });
    return "accepted";
  } catch (failure) {
    if (failure instanceof SignatureError || failure instanceof RegistryError) return failure.code;
    throw failure;
  }
}

const EXPECTED = Object.fromEntries(CASES.map(({ name, ends }) => [name, ends]));

Deno.test("demandSignature: every case from the lab registry", async () => {
  await using registry = await startRegistry();
  const found: Record<string, string> = {};
  for (const test of CASES) found[test.name] = await run(registry, true, test);
  assertEquals(found, EXPECTED);
});

Deno.test("demandSignature: every case from a registry with token access and without referrers API", async () => {
  await using registry = await startRegistry({
    auth: { kind: "token" },
    referrersApi: false,
  });
  const found: Record<string, string> = {};
  for (const test of CASES) found[test.name] = await run(registry, true, test);
  assertEquals(found, EXPECTED);
});

if (await available()) {
  Deno.test("demandSignature: every case from docker-registry", async () => {
    await using registry = await startDockerRegistry();
    const found: Record<string, string> = {};
    for (const test of CASES) found[test.name] = await run(registry, false, test);
    assertEquals(found, EXPECTED);
  });
}
