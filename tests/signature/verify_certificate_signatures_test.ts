import { assertEquals, assertStringIncludes } from "@std/assert";
import type { SignatureErrorCode } from "../../src/signature/signature_error.ts";
import {
  bundleReferrer,
  certificateBundle,
  certificateLayer,
  signatureManifest,
  signatureTag,
  signingKey,
  signStatement,
  simpleSigningPayload,
} from "../builders/signatures.ts";
import {
  type CertificateRequest,
  type InstanceKeys,
  SIGNING_TIME,
  type SigstoreInstance,
  sigstoreInstance,
} from "../builders/sigstore_instance.ts";
import {
  certificatePolicy,
  keyPolicy,
  outcome,
  REPOSITORY,
  type SignedImageCase,
  SIGNER,
  unsignedImage,
  verify,
} from "./signed_image.ts";

const SIGSTORE = await sigstoreInstance();
const OTHER_SIGSTORE = await sigstoreInstance("other.test");
const OTHER_DIGEST = `sha256:${"ab".repeat(32)}`;

/** How a signature differs from one that is accepted. */
interface Variation {
  readonly request?: Partial<CertificateRequest>;
  readonly issuedBy?: SigstoreInstance;
  readonly loggedBy?: SigstoreInstance;
  readonly time?: Date;
  readonly digest?: string;
  readonly annotations?: Record<string, string>;
}

const FORMS = { tag: storeTagged, referrer: storeReferring };

async function storeTagged(image: SignedImageCase, how: Variation = {}): Promise<void> {
  const signer = await signerOf(how);
  const signed = { digest: image.subject.indexDigest, reference: REPOSITORY, ...how };
  image.source.put(
    signatureManifest([certificateLayer(simpleSigningPayload(signed), signer)]),
    signatureTag(image.subject.indexDigest),
  );
}

async function storeReferring(image: SignedImageCase, how: Variation = {}): Promise<void> {
  const signer = await signerOf(how);
  const signed = { digest: image.subject.indexDigest, reference: REPOSITORY, ...how };
  image.source.put(bundleReferrer(certificateBundle(signStatement(signed), signer), image.index.descriptor));
}

async function signerOf({ request, issuedBy = SIGSTORE, loggedBy = SIGSTORE, time }: Variation) {
  const certificate = await issuedBy.issue({ ...SIGNER, ...request });
  return { certificate, sigstore: loggedBy, ...(time ? { time } : {}) };
}

const CASES: readonly {
  readonly name: string;
  readonly how?: Variation;
  readonly code: SignatureErrorCode;
}[] = [
  { name: "another identity", how: { request: { identity: "mallory@example.com" } }, code: "wrong-identity" },
  {
    name: "an identity that goes on after the accepted one",
    how: { request: { identity: `${SIGNER.identity}-evil` } },
    code: "wrong-identity",
  },
  {
    name: "another issuer",
    how: { request: { issuer: "https://accounts.google.com" } },
    code: "wrong-issuer",
  },
  {
    name: "signed after the certificate ended",
    how: { time: new Date(SIGNING_TIME.getTime() + 3_600_000) },
    code: "expired-certificate",
  },
  {
    name: "signed before the certificate began",
    how: { time: new Date(SIGNING_TIME.getTime() - 3_600_000) },
    code: "expired-certificate",
  },
  {
    name: "another authority's certificate",
    how: { issuedBy: OTHER_SIGSTORE },
    code: "untrusted-certificate",
  },
  {
    name: "certificate not in the log of certificates",
    how: { request: { logged: false } },
    code: "untrusted-certificate",
  },
  { name: "another log's entry", how: { loggedBy: OTHER_SIGSTORE }, code: "bad-bundle" },
  { name: "another image's digest", how: { digest: OTHER_DIGEST }, code: "wrong-digest" },
  { name: "another annotation", how: { annotations: { repo: "evil" } }, code: "missing-annotation" },
];

for (const [form, store] of Object.entries(FORMS)) {
  Deno.test(`verifySignatures: accepts a certificate's signature as ${form}`, async () => {
    const image = unsignedImage();
    await store(image, { annotations: { repo: "acme" } });
    const report = await verify(image, await certificatePolicy(SIGSTORE, { annotations: { repo: "acme" } }));
    assertEquals(report.state === "verified" && report.signer, { kind: "certificate", ...SIGNER });
    assertEquals(report.state === "verified" && report.form as string, form);
  });

  Deno.test(`verifySignatures: accepts expressions for identity and issuer as ${form}`, async () => {
    const image = unsignedImage();
    await store(image);
    const identities = [{
      identity: /^(?:https:\/\/github\.com\/acme\/.*)$/u,
      issuer: /^(?:https:\/\/token\..*)$/u,
    }];
    assertEquals(await outcome(verify(image, await certificatePolicy(SIGSTORE, { identities }))), "verified");
  });

  for (const { name, how, code } of CASES) {
    Deno.test(`verifySignatures: ${form} with ${name} -> ${code}`, async () => {
      const image = unsignedImage();
      await store(image, how);
      const policy = await certificatePolicy(SIGSTORE, { annotations: { repo: "acme" } });
      assertEquals(await outcome(verify(image, policy)), code);
    });
  }

  Deno.test(`verifySignatures: a certificate's signature as ${form} where only keys are trusted -> wrong-key`, async () => {
    const image = unsignedImage();
    await store(image);
    assertEquals(await outcome(verify(image, keyPolicy([signingKey()]))), "wrong-key");
  });
}

Deno.test("verifySignatures: a certificate's payload altered after signing -> altered-payload", async () => {
  const policy = await certificatePolicy(SIGSTORE);
  const signer = await signerOf({});
  const tagged = unsignedImage();
  const genuine = certificateLayer(
    simpleSigningPayload({ digest: OTHER_DIGEST, reference: REPOSITORY }),
    signer,
  );
  const altered = simpleSigningPayload({ digest: tagged.subject.indexDigest, reference: REPOSITORY });
  tagged.source.put(
    signatureManifest([{ ...genuine, bytes: altered }]),
    signatureTag(tagged.subject.indexDigest),
  );
  assertEquals(await outcome(verify(tagged, policy)), "altered-payload");

  const referred = unsignedImage();
  const signed = { digest: referred.subject.indexDigest, reference: REPOSITORY };
  const bundle = certificateBundle(signStatement({ ...signed, digest: OTHER_DIGEST }), signer);
  const dsseEnvelope = { ...Object(bundle["dsseEnvelope"]), payload: signStatement(signed).toBase64() };
  referred.source.put(bundleReferrer({ ...bundle, dsseEnvelope }, referred.index.descriptor));
  assertEquals(await outcome(verify(referred, policy)), "altered-payload");
});

Deno.test("verifySignatures: a certificate's signature outside every log has no time -> bad-bundle", async () => {
  const image = unsignedImage();
  const signed = { digest: image.subject.indexDigest, reference: REPOSITORY };
  const layer = certificateLayer(simpleSigningPayload(signed), await signerOf({}));
  const { "dev.sigstore.cosign/bundle": _log, ...annotations } = layer.annotations;
  image.source.put(signatureManifest([{ ...layer, annotations }]), signatureTag(image.subject.indexDigest));
  assertEquals(await outcome(verify(image, await certificatePolicy(SIGSTORE))), "bad-bundle");
});

Deno.test("verifySignatures: a root without certificate log does not ask for an entry in one", async () => {
  const image = unsignedImage();
  await storeReferring(image, { request: { logged: false } });
  const unlogged = { ...SIGSTORE, trustedRoot: { ...SIGSTORE.trustedRoot, ctlogs: [] } };
  assertEquals(await outcome(verify(image, await certificatePolicy(unlogged))), "verified");
});

for (const keys of [{ authority: "P-384" }, { signatureLog: "Ed25519" }] satisfies InstanceKeys[]) {
  const name = Object.entries(keys).flat().join(" ");
  Deno.test(`verifySignatures: a Sigstore whose key of ${name} is accepted in both forms, and no stranger's`, async () => {
    const sigstore = await sigstoreInstance("sigstore.test", keys);
    const stranger = await sigstoreInstance("sigstore.test", keys);
    const policy = await certificatePolicy(sigstore);
    for (const store of Object.values(FORMS)) {
      const honest = unsignedImage();
      await store(honest, { issuedBy: sigstore, loggedBy: sigstore });
      assertEquals(await outcome(verify(honest, policy)), "verified");
      const issued = unsignedImage();
      await store(issued, { issuedBy: stranger, loggedBy: sigstore });
      assertEquals(await outcome(verify(issued, policy)), "untrusted-certificate");
      const logged = unsignedImage();
      await store(logged, { issuedBy: sigstore, loggedBy: stranger });
      assertEquals(await outcome(verify(logged, policy)), "bad-bundle");
    }
  });
}

Deno.test("verifySignatures: what a root does not name is refused where it is shown, though not demanded", async () => {
  const image = unsignedImage();
  await storeReferring(image);
  const { trustedRoot } = SIGSTORE;
  const under = async (change: object) =>
    outcome(
      verify(image, await certificatePolicy({ ...SIGSTORE, trustedRoot: { ...trustedRoot, ...change } })),
    );
  assertEquals(await under({ ctlogs: [] }), "untrusted-certificate");
  assertEquals(
    await under({ tlogs: [], timestampAuthorities: trustedRoot["certificateAuthorities"] }),
    "bad-bundle",
  );
});

Deno.test("verifySignatures: control characters of a stranger's certificate do not reach the message", async () => {
  const image = unsignedImage();
  await storeTagged(image, { request: { identity: "a\x1b[2Jb@example.com" } });
  const failure = await verify(image, await certificatePolicy(SIGSTORE)).catch((error: Error) => error);
  assertStringIncludes(String(failure), "'a?[2Jb@example.com'");
});
