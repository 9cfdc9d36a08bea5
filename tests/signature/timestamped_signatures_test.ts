import { assertEquals } from "@std/assert";
import {
  bundleReferrer,
  certificateBundle,
  certificateLayer,
  signatureManifest,
  signatureTag,
  signStatement,
  simpleSigningPayload,
  untimedCertificateBundle,
} from "../builders/signatures.ts";
import { sigstoreInstance } from "../builders/sigstore_instance.ts";
import { OpensslDesk } from "../image/openssl_program.ts";
import { certificatePolicy, outcome, REPOSITORY, SIGNER, unsignedImage, verify } from "./signed_image.ts";

const KEY_OPTIONS = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const CONFIG = `[tsa]
default_tsa = authority
[authority]
serial = serial
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
`;

/** A timestamp authority of two certificates; `stamp` gives its reply (RFC 3161) over a signature. */
async function timestampAuthority(desk: OpensslDesk) {
  await desk.put("tsa.cnf", CONFIG);
  await desk.put("serial", "01\n");
  await desk.put("leaf.ext", "extendedKeyUsage=critical,timeStamping\nbasicConstraints=critical,CA:FALSE\n");
  const root = ["-x509", ...KEY_OPTIONS, "-keyout", "root.key", "-out", "root.pem", "-days", "2"];
  await desk.must("req", ...root, "-subj", "/O=tsa.test/CN=root", "-addext", "keyUsage=critical,keyCertSign");
  await desk.must(
    "req",
    ...KEY_OPTIONS,
    "-keyout",
    "leaf.key",
    "-out",
    "leaf.csr",
    "-subj",
    "/O=tsa.test/CN=leaf",
  );
  const issue = [
    "-CA",
    "root.pem",
    "-CAkey",
    "root.key",
    "-set_serial",
    "7",
    "-days",
    "1",
    "-extfile",
    "leaf.ext",
  ];
  await desk.must("x509", "-req", "-in", "leaf.csr", ...issue, "-out", "leaf.pem");
  const certificates: { rawBytes: string }[] = [];
  for (const name of ["leaf", "root"]) {
    await desk.must("x509", "-in", `${name}.pem`, "-outform", "DER", "-out", `${name}.der`);
    certificates.push({ rawBytes: (await desk.take(`${name}.der`)).toBase64() });
  }
  return {
    entry: { uri: "https://tsa.test", certChain: { certificates } },
    async stamp(signature: string): Promise<string> {
      await desk.put("signature", Uint8Array.fromBase64(signature));
      await desk.must("ts", "-query", "-data", "signature", "-sha256", "-no_nonce", "-cert", "-out", "query");
      const signer = ["-signer", "leaf.pem", "-inkey", "leaf.key", "-config", "tsa.cnf"];
      await desk.must("ts", "-reply", "-queryfile", "query", ...signer, "-out", "reply");
      return (await desk.take("reply")).toBase64();
    },
  };
}

Deno.test("verifySignatures: a timestamp authority's word does in place of a log's, in both forms", async () => {
  await using desk = await OpensslDesk.open();
  if (desk === undefined) return;
  const authority = await timestampAuthority(desk);
  const sigstore = await sigstoreInstance();
  const trustedRoot = { ...sigstore.trustedRoot, tlogs: [], timestampAuthorities: [authority.entry] };
  const policy = await certificatePolicy({ ...sigstore, trustedRoot });

  // openssl stamps with the present time, so the certificates must be of the present too.
  const signerAt = async (hours: number) => {
    const notBefore = new Date(Date.now() + (hours - 1) * 3_600_000);
    const notAfter = new Date(notBefore.getTime() + 2 * 3_600_000);
    return { certificate: await sigstore.issue({ ...SIGNER, notBefore, notAfter }), sigstore };
  };
  for (const [hours, ends] of [[0, "verified"], [-3, "expired-certificate"]] as const) {
    const signer = await signerAt(hours);
    const tagged = unsignedImage();
    const digest = tagged.subject.indexDigest;
    const layer = certificateLayer(simpleSigningPayload({ digest, reference: REPOSITORY }), signer);
    const { "dev.sigstore.cosign/bundle": _log, ...annotations } = layer.annotations;
    const reply = await authority.stamp(annotations["dev.cosignproject.cosign/signature"] ?? "");
    const stamped = JSON.stringify({ SignedRFC3161Timestamp: reply });
    tagged.source.put(
      signatureManifest([{
        ...layer,
        annotations: { ...annotations, "dev.sigstore.cosign/rfc3161timestamp": stamped },
      }]),
      signatureTag(digest),
    );
    assertEquals(await outcome(verify(tagged, policy)), ends);

    const referred = unsignedImage();
    const bundle = certificateBundle(signStatement({ digest, reference: REPOSITORY }), signer);
    const { verificationMaterial, dsseEnvelope } = Object(bundle);
    const signedTimestamp = await authority.stamp(dsseEnvelope.signatures[0].sig);
    const material = {
      certificate: verificationMaterial.certificate,
      tlogEntries: [],
      timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp }] },
    };
    const stampedBundle = { ...bundle, verificationMaterial: material };
    referred.source.put(bundleReferrer(stampedBundle, referred.index.descriptor));
    assertEquals(await outcome(verify(referred, policy)), ends);

    const elsewhere = await authority.stamp("AAAA");
    const wrong = {
      ...material,
      timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: elsewhere }] },
    };
    const mistimed = unsignedImage();
    mistimed.source.put(
      bundleReferrer({ ...bundle, verificationMaterial: wrong }, mistimed.index.descriptor),
    );
    assertEquals(await outcome(verify(mistimed, policy)), "bad-bundle");
  }
});

Deno.test("verifySignatures: an entry of Rekor 2 counts with a timestamp beside it, as it tells no time itself", async () => {
  await using desk = await OpensslDesk.open();
  if (desk === undefined) return;
  const authority = await timestampAuthority(desk);
  const sigstore = await sigstoreInstance("sigstore.test", { signatureLog: "Ed25519" });
  const stranger = await sigstoreInstance("sigstore.test", { signatureLog: "Ed25519" });
  const trustedRoot = { ...sigstore.trustedRoot, timestampAuthorities: [authority.entry] };
  const policy = await certificatePolicy({ ...sigstore, trustedRoot });
  const notBefore = new Date(Date.now() - 3_600_000);
  const notAfter = new Date(Date.now() + 3_600_000);
  const certificate = await sigstore.issue({ ...SIGNER, notBefore, notAfter });

  const ends = async (how: { log?: typeof sigstore; stamped?: boolean; change?(entry: object): object }) => {
    const { log = sigstore, stamped = true, change = (entry) => entry } = how;
    const image = unsignedImage();
    const payload = signStatement({ digest: image.subject.indexDigest, reference: REPOSITORY });
    const bundle = untimedCertificateBundle(payload, { certificate, sigstore: log });
    const { verificationMaterial, dsseEnvelope } = Object(bundle);
    const rfc3161Timestamps = stamped
      ? [{ signedTimestamp: await authority.stamp(dsseEnvelope.signatures[0].sig) }]
      : [];
    const material = {
      certificate: verificationMaterial.certificate,
      tlogEntries: verificationMaterial.tlogEntries.map(change),
      timestampVerificationData: { rfc3161Timestamps },
    };
    image.source.put(
      bundleReferrer({ ...bundle, verificationMaterial: material }, image.index.descriptor),
    );
    return await outcome(verify(image, policy));
  };
  assertEquals(await ends({}), "verified");
  assertEquals(await ends({ stamped: false }), "bad-bundle", "nobody tells when it was signed");
  assertEquals(await ends({ log: stranger }), "bad-bundle", "another log's entry");
  const elsewhere = untimedCertificateBundle(
    signStatement({ digest: `sha256:${"ab".repeat(32)}`, reference: REPOSITORY }),
    { certificate, sigstore },
  );
  const [other] = Object(elsewhere).verificationMaterial.tlogEntries;
  assertEquals(await ends({ change: () => other }), "altered-payload", "the entry of another signature");
  const unproven = { inclusionProof: { ...other.inclusionProof, hashes: [btoa("x".repeat(32))] } };
  assertEquals(await ends({ change: (entry) => ({ ...entry, ...unproven }) }), "bad-bundle", "another proof");
});
