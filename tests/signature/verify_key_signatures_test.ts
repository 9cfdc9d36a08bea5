import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { SignatureError, type SignatureErrorCode } from "../../src/signature/signature_error.ts";
import type { SignaturePolicy } from "../../src/signature/signature_policy.ts";
import {
  bundleReferrer,
  keyBundle,
  keyLayer,
  messageBundle,
  signatureManifest,
  signatureTag,
  signingKey,
  type SigningKeyKind,
  signStatement,
  simpleSigningPayload,
} from "../builders/signatures.ts";
import { buildArtifact } from "../builders/oci_artifact.ts";
import { sigstoreInstance } from "../builders/sigstore_instance.ts";
import {
  keyPolicy,
  outcome,
  REPOSITORY,
  type SignedImageCase,
  unsignedImage,
  verify,
} from "./signed_image.ts";

const KEY = signingKey();
const OTHER_KEY = signingKey();
const OTHER_DIGEST = `sha256:${"ab".repeat(32)}`;

/** Puts a signature of the first form beside the image. */
function tagWith(
  image: SignedImageCase,
  layers: Parameters<typeof signatureManifest>[0],
  digest?: string,
): void {
  image.source.put(signatureManifest(layers), signatureTag(digest ?? image.subject.indexDigest));
}

function payload(image: SignedImageCase, more: Partial<Parameters<typeof simpleSigningPayload>[0]> = {}) {
  return simpleSigningPayload({ digest: image.subject.indexDigest, reference: REPOSITORY, ...more });
}

function statement(image: SignedImageCase, more: Partial<Parameters<typeof signStatement>[0]> = {}) {
  return signStatement({ digest: image.subject.indexDigest, reference: REPOSITORY, ...more });
}

function refer(image: SignedImageCase, bundle: unknown): void {
  image.source.put(bundleReferrer(bundle, image.index.descriptor));
}

for (
  const kind of [
    "p256",
    "p384",
    "p384-sha256",
    "p521",
    "rsa",
    "rsa-pss",
    "ed25519",
  ] satisfies SigningKeyKind[]
) {
  Deno.test(`verifySignatures: accepts both forms signed with ${kind}`, async () => {
    const key = signingKey(kind);
    const tagged = unsignedImage();
    tagWith(tagged, [keyLayer(payload(tagged), key)]);
    const referred = unsignedImage();
    refer(referred, keyBundle(statement(referred), key));
    for (const [image, form] of [[tagged, "tag"], [referred, "referrer"]] as const) {
      const report = await verify(image, keyPolicy([OTHER_KEY, key]));
      assertEquals(report, {
        state: "verified",
        summary: `index ${image.subject.indexDigest} is signed by the key of 'key1.pub'`,
        signer: { kind: "key", file: "key1.pub" },
        digest: image.subject.indexDigest,
        over: "index",
        form,
        refused: [],
      });
      assertEquals(await outcome(verify(image, keyPolicy([OTHER_KEY]))), "wrong-key");
    }
  });
}

Deno.test("verifySignatures: a signature of the platform's manifest does as well as one of the index", async () => {
  const image = unsignedImage();
  const digest = image.subject.manifestDigest;
  tagWith(image, [keyLayer(payload(image, { digest }), KEY)], digest);
  const report = await verify(image, keyPolicy([KEY]));
  assertEquals(report.state === "verified" && [report.over, report.digest], ["manifest", digest]);
});

Deno.test("verifySignatures: accepts a bundle with a bare signature over the manifest", async () => {
  const image = unsignedImage();
  const [top] = image.index.manifests.slice(-1);
  refer(image, messageBundle(top?.bytes ?? new Uint8Array(), KEY));
  assertEquals(await outcome(verify(image, keyPolicy([KEY]))), "verified");
  assertEquals(await outcome(verify(image, keyPolicy([OTHER_KEY]))), "wrong-key");
  assertEquals(
    await outcome(verify(image, keyPolicy([KEY], { annotations: { a: "b" } }))),
    "missing-annotation",
  );
});

Deno.test("verifySignatures: asks for nothing after the signature it accepts", async () => {
  const image = unsignedImage();
  tagWith(image, [
    keyLayer(payload(image), KEY),
    keyLayer(payload(image, { annotations: { n: 2 } }), OTHER_KEY),
  ]);
  await verify(image, keyPolicy([KEY]));
  assertEquals(image.source.requests.map((request) => request.split(" ")[0]), ["manifest", "blob"]);
});

Deno.test("verifySignatures: one accepted signature among refused ones is enough, and tells of them", async () => {
  const image = unsignedImage();
  tagWith(image, [
    keyLayer(payload(image), OTHER_KEY),
    keyLayer(payload(image, { digest: OTHER_DIGEST }), KEY),
    keyLayer(payload(image), KEY),
  ]);
  const report = await verify(image, keyPolicy([KEY]));
  assertEquals(report.state === "verified" && report.refused, ["wrong-key", "wrong-digest"]);
});

/** What is stored, and the refusal it meets with a policy that requires KEY and `repo=acme`. */
const REFUSALS: readonly {
  readonly name: string;
  readonly code: SignatureErrorCode;
  readonly policy?: Partial<SignaturePolicy>;
  store(image: SignedImageCase): void;
}[] = [
  { name: "nothing stored", code: "missing", store: () => {} },
  {
    name: "tag: signed with another key",
    code: "wrong-key",
    store: (image) => tagWith(image, [keyLayer(payload(image), OTHER_KEY)]),
  },
  {
    name: "tag: of another digest, copied under this one's tag",
    code: "wrong-digest",
    store: (image) => tagWith(image, [keyLayer(payload(image, { digest: OTHER_DIGEST }), KEY)]),
  },
  {
    name: "tag: of this digest in another repository, copied",
    code: "wrong-reference",
    store: (image) =>
      tagWith(image, [keyLayer(payload(image, { reference: "registry.test/evil/firmware" }), KEY)]),
  },
  {
    name: "tag: of a repository whose name begins like this one's",
    code: "wrong-reference",
    store: (image) => tagWith(image, [keyLayer(payload(image, { reference: `${REPOSITORY}-debug` }), KEY)]),
  },
  {
    name: "tag: without the annotation",
    code: "missing-annotation",
    store: (image) => tagWith(image, [keyLayer(payload(image), KEY)]),
  },
  {
    name: "tag: with the annotation of another value",
    code: "missing-annotation",
    store: (image) => tagWith(image, [keyLayer(payload(image, { annotations: { repo: "acme2" } }), KEY)]),
  },
  {
    name: "tag: a signed payload that is no simple signing",
    code: "altered-payload",
    store: (image) => tagWith(image, [keyLayer(new TextEncoder().encode('{"critical":{}}'), KEY)]),
  },
  {
    name: "tag: no signature in the annotations",
    code: "bad-bundle",
    store: (image) => tagWith(image, [{ ...keyLayer(payload(image), KEY), annotations: {} }]),
  },
  {
    name: "tag: signature is not base64",
    code: "bad-bundle",
    store: (image) =>
      tagWith(image, [{
        ...keyLayer(payload(image), KEY),
        annotations: { "dev.cosignproject.cosign/signature": "<svg>" },
      }]),
  },
  {
    name: "tag: empty signature bytes of impossible length",
    code: "wrong-key",
    store: (image) =>
      tagWith(image, [{
        ...keyLayer(payload(image), KEY),
        annotations: { "dev.cosignproject.cosign/signature": "AA==" },
      }]),
  },
  {
    name: "tag: payload of more than 64 KiB",
    code: "limit",
    store: (image) =>
      tagWith(image, [keyLayer(payload(image, { annotations: { x: "x".repeat(65536) } }), KEY)]),
  },
  {
    name: "tag: annotation of more than 64 KiB",
    code: "limit",
    store: (image) => {
      const layer = keyLayer(payload(image), KEY);
      tagWith(image, [{
        ...layer,
        annotations: { ...layer.annotations, "dev.sigstore.cosign/bundle": "x".repeat(65537) },
      }]);
    },
  },
  {
    name: "tag: 101 signatures",
    code: "limit",
    store: (image) => tagWith(image, Array.from({ length: 101 }, () => keyLayer(payload(image), KEY))),
  },
  {
    name: "referrer: signed with another key",
    code: "wrong-key",
    store: (image) => refer(image, keyBundle(statement(image), OTHER_KEY)),
  },
  {
    name: "referrer: of another digest",
    code: "wrong-digest",
    store: (image) => refer(image, keyBundle(statement(image, { digest: OTHER_DIGEST }), KEY)),
  },
  {
    name: "referrer: bare signature over another manifest",
    code: "wrong-digest",
    store: (image) => refer(image, messageBundle(new TextEncoder().encode("{}"), KEY)),
  },
  {
    name: "referrer: without the annotation",
    code: "missing-annotation",
    store: (image) => refer(image, keyBundle(statement(image), KEY)),
  },
  {
    name: "referrer: altered payload of a trusted key's bundle",
    code: "altered-payload",
    store: (image) => {
      const bundle = keyBundle(statement(image, { digest: OTHER_DIGEST }), KEY);
      refer(image, withEnvelope(bundle, { payload: statement(image).toBase64() }));
    },
  },
  {
    name: "referrer: two signatures in one envelope",
    code: "bad-bundle",
    store: (image) => refer(image, withEnvelope(keyBundle(statement(image), KEY), { signatures: [{}, {}] })),
  },
  { name: "referrer: not a bundle", code: "bad-bundle", store: (image) => refer(image, { hello: "world" }) },
  { name: "referrer: an array", code: "bad-bundle", store: (image) => refer(image, [[[]]]) },
  {
    name: "referrer: bundle of more than 1 MiB",
    code: "limit",
    store: (image) => refer(image, { ...keyBundle(statement(image), KEY), padding: "x".repeat(1024 * 1024) }),
  },
  {
    name: "referrer: 17 log entries",
    code: "limit",
    store: (image) => {
      const { verificationMaterial } = Object(keyBundle(statement(image), KEY));
      const entry = {
        logId: { keyId: "AA==" },
        kindVersion: { kind: "dsse", version: "0.0.1" },
        inclusionProof: { checkpoint: { envelope: "" }, hashes: [] },
      };
      refer(image, {
        ...keyBundle(statement(image), KEY),
        verificationMaterial: {
          ...verificationMaterial,
          tlogEntries: Array.from({ length: 17 }, () => entry),
        },
      });
    },
  },
  {
    name: "referrer: an attestation of another type is no signature",
    code: "missing",
    store: (image) => {
      const provenance = signStatement(
        { digest: image.subject.indexDigest, reference: REPOSITORY },
        "https://slsa.dev/provenance/v1",
      );
      refer(image, keyBundle(provenance, KEY));
    },
  },
];

/** A statement whose subjects are not as `cosign sign` writes them. */
const STRANGE_SUBJECTS: readonly { readonly subject: unknown }[] = [
  { subject: Array.from({ length: 101 }, (_, at) => ({ name: `file${at}`, digest: { sha256: "ab" } })) },
  { subject: [{ name: "package", digest: { sha256: 7 } }] },
  { subject: undefined },
];

for (
  const [predicateType, code] of [
    ["https://slsa.dev/provenance/v1", "missing"],
    ["https://sigstore.dev/cosign/sign/v1", "altered-payload"],
  ] as const
) {
  Deno.test(`verifySignatures: referrer: strange subjects under ${predicateType} -> ${code}`, async () => {
    for (const strange of STRANGE_SUBJECTS) {
      const image = unsignedImage();
      const signed = JSON.parse(new TextDecoder().decode(statement(image)));
      const bytes = new TextEncoder().encode(JSON.stringify({ ...signed, predicateType, ...strange }));
      refer(image, keyBundle(bytes, KEY));
      assertEquals(await outcome(verify(image, keyPolicy([KEY]))), code);
    }
  });
}

for (const { name, code, policy, store } of REFUSALS) {
  Deno.test(`verifySignatures: ${name} -> ${code}`, async () => {
    const image = unsignedImage();
    store(image);
    const demanding = keyPolicy([KEY], { annotations: { repo: "acme" }, ...policy });
    assertEquals(await outcome(verify(image, demanding)), code);
    const lenient = await outcome(verify(image, { ...demanding, mode: "auto" }));
    assertEquals(lenient, code === "missing" ? "unsigned" : code, "auto refuses what is wrong, too");
  });
}

Deno.test("verifySignatures: accepts the annotation in both forms", async () => {
  const policy = keyPolicy([KEY], { annotations: { repo: "acme" } });
  const tagged = unsignedImage();
  tagWith(tagged, [keyLayer(payload(tagged, { annotations: { repo: "acme", sha: "1" } }), KEY)]);
  const referred = unsignedImage();
  refer(referred, keyBundle(statement(referred, { annotations: { repo: "acme" } }), KEY));
  assertEquals(await outcome(verify(tagged, policy)), "verified");
  assertEquals(await outcome(verify(referred, policy)), "verified");
});

for (const kind of ["p256", "p384", "p521", "ed25519"] as const) {
  Deno.test(`verifySignatures: with a log entry beside it an altered payload is told from a wrong key (${kind})`, async () => {
    const log = await sigstoreInstance();
    const key = signingKey(kind);
    const image = unsignedImage();
    const genuine = keyLayer(payload(image, { digest: OTHER_DIGEST }), key, log);
    tagWith(image, [{ ...genuine, bytes: payload(image) }]);
    assertEquals(await outcome(verify(image, keyPolicy([key]))), "altered-payload");
    const honest = unsignedImage();
    tagWith(honest, [keyLayer(payload(honest), key, log)]);
    assertEquals(await outcome(verify(honest, keyPolicy([key]))), "verified");
    assertEquals(await outcome(verify(honest, keyPolicy([OTHER_KEY]))), "wrong-key");
  });
}

Deno.test("verifySignatures: Ed25519ph is refused by name, and only where it may be the reason", async () => {
  // RFC 8032, section 7.3: "abc" signed with Ed25519ph.
  const key = `302a300506032b6570032100${"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"}`;
  const signature = "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41" +
    "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406";
  const publicPem = `-----BEGIN PUBLIC KEY-----\n${
    Uint8Array.fromHex(key).toBase64()
  }\n-----END PUBLIC KEY-----\n`;
  const signer = { ...signingKey("ed25519"), publicPem, sign: () => Uint8Array.fromHex(signature) };
  const image = unsignedImage();
  tagWith(image, [keyLayer(new TextEncoder().encode("abc"), signer)]);
  const refusal = await assertRejects(() => verify(image, keyPolicy([signer])), SignatureError);
  assertEquals(refusal.code, "wrong-key");
  assertStringIncludes(refusal.message, "Ed25519ph, which cannot be verified here");

  const other = unsignedImage();
  tagWith(other, [keyLayer(payload(other), OTHER_KEY)]);
  const plain = await assertRejects(() => verify(other, keyPolicy([signer])), SignatureError);
  assertEquals(plain.message.includes("Ed25519ph"), false);
});

Deno.test("verifySignatures: signedAs admits the repository a copy was made of, and no other", async () => {
  const image = unsignedImage();
  tagWith(image, [keyLayer(payload(image, { reference: "ghcr.io/upstream/firmware:v1" }), KEY)]);
  const with_ = (signedAs: string[]) => outcome(verify(image, keyPolicy([KEY], { signedAs })));
  assertEquals(await with_(["ghcr.io/upstream"]), "verified");
  assertEquals(await with_(["*"]), "verified");
  assertEquals(await with_(["ghcr.io/up"]), "wrong-reference");
});

Deno.test("verifySignatures: of several refusals the one that came nearest is told, with their number", async () => {
  const image = unsignedImage();
  tagWith(image, [
    keyLayer(payload(image), OTHER_KEY),
    keyLayer(payload(image, { digest: OTHER_DIGEST }), KEY),
  ]);
  const failure = await verify(image, keyPolicy([KEY])).catch((error: Error) => error);
  assertStringIncludes(String(failure), OTHER_DIGEST);
  assertStringIncludes(String(failure), "1 other signatures refused too");
});

/** Referrers that say nothing of their content, each with as many attestations as `layers`. */
function attest(image: SignedImageCase, how: { referrers: number; layers: number; padding: number }): void {
  const mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
  const provenance = signStatement(
    { digest: image.subject.indexDigest, reference: REPOSITORY, annotations: { x: "x".repeat(how.padding) } },
    "https://slsa.dev/provenance/v1",
  );
  for (let referrer = 0; referrer < how.referrers; referrer++) {
    const files = Array.from({ length: how.layers }, (_, layer) => ({
      bytes: new TextEncoder().encode(
        JSON.stringify({ ...keyBundle(provenance, KEY), at: [referrer, layer] }),
      ),
      mediaType,
    }));
    image.source.put(buildArtifact({ artifactType: mediaType, subject: image.index.descriptor, files }));
  }
}

for (
  const { found, ...how } of [
    { referrers: 3, layers: 50, padding: 0, found: /more than 100;/ },
    { referrers: 2, layers: 12, padding: 700_000, found: /more than 16777216 bytes in all;/ },
  ]
) {
  Deno.test(`verifySignatures: ${how.referrers} times ${how.layers} attestations cost as much as signatures -> limit`, async () => {
    const image = unsignedImage();
    attest(image, how);
    const failure = await assertRejects(() => verify(image, keyPolicy([KEY])), SignatureError);
    assertEquals(failure.code, "limit");
    assertMatch(failure.message, found);
    const blobs = image.source.requests.filter((request) => request.startsWith("blob "));
    assertEquals(blobs.length < how.referrers * how.layers, true);
  });
}

Deno.test("verifySignatures: the signed manifest is fetched once for all bare signatures over it", async () => {
  const image = unsignedImage();
  const [top] = image.index.manifests.slice(-1);
  for (let at = 0; at < 3; at++) {
    refer(image, messageBundle(top?.bytes ?? new Uint8Array(), signingKey()));
  }
  assertEquals(await outcome(verify(image, keyPolicy([KEY]))), "wrong-key");
  const request = `manifest ${image.subject.indexDigest}`;
  assertEquals(image.source.requests.filter((found) => found === request).length, 1);
});

Deno.test("verifySignatures: off and nothing configured ask the registry for nothing", async () => {
  const image = unsignedImage();
  assertEquals(await outcome(verify(image, keyPolicy([KEY], { mode: "off" }))), "off");
  assertEquals(await outcome(verify(image, keyPolicy([], { mode: "auto" }))), "not-checked");
  assertEquals(await outcome(verify(image, keyPolicy([]))), "no-trust");
  assertEquals(image.source.requests, []);
});

Deno.test("verifySignatures: a source that fails is not an image without signature", async () => {
  const image = unsignedImage();
  const failing = { ...image.source, referrers: () => Promise.reject(new RangeError("connection reset")) };
  const policy = keyPolicy([KEY], { mode: "auto" });
  const failure = await outcome(verify({ ...image, source: failing }, policy)).catch((error: Error) =>
    error.message
  );
  assertEquals(failure, "connection reset");
});

function withEnvelope(bundle: Record<string, unknown>, change: object): Record<string, unknown> {
  return { ...bundle, dsseEnvelope: { ...Object(bundle["dsseEnvelope"]), ...change } };
}
