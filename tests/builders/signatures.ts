/**
 * Signatures of images as cosign stores them, in both forms, and the keys they are made with.
 *
 * Formats: cosign specs/SIGNATURE_SPEC.md and specs/BUNDLE_SPEC.md, in-toto Statement v1, DSSE, Sigstore bundle 0.3.
 *
 * @module
 */

import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { type ArtifactFile, buildArtifact } from "./oci_artifact.ts";
import type { Descriptor } from "./oci_content.ts";
import type { OciImage } from "./oci_image.ts";
import {
  type IssuedCertificate,
  type LogEntry,
  SIGNING_TIME,
  type SigstoreInstance,
} from "./sigstore_instance.ts";

/** A key pair and how it signs. */
export interface SigningKey {
  readonly publicPem: string;
  readonly privateKey: KeyObject;
  /** By which a log names what this key has signed. */
  readonly loggedHash: "sha256" | "sha384" | "sha512";
  sign(bytes: Uint8Array): Uint8Array;
}

/** The kinds of key cosign signs with; the number is the hash's, where a kind can take several. */
export type SigningKeyKind = "p256" | "p384" | "p384-sha256" | "p521" | "rsa" | "rsa-pss" | "ed25519";

/** A new key pair. */
export function signingKey(kind: SigningKeyKind = "p256"): SigningKey {
  const pair = newPair(kind);
  const loggedHash = kind === "p384" ? "sha384" : kind === "p521" || kind === "ed25519" ? "sha512" : "sha256";
  const digest = kind === "ed25519" ? null : loggedHash;
  return {
    publicPem: String(pair.publicKey.export({ type: "spki", format: "pem" })),
    privateKey: pair.privateKey,
    loggedHash,
    sign: (bytes) =>
      new Uint8Array(sign(
        digest,
        bytes,
        kind === "rsa-pss"
          ? { key: pair.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
          : pair.privateKey,
      )),
  };
}

function newPair(kind: SigningKeyKind): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  if (kind === "ed25519") return generateKeyPairSync("ed25519");
  if (kind === "rsa" || kind === "rsa-pss") return generateKeyPairSync("rsa", { modulusLength: 2048 });
  return generateKeyPairSync("ec", { namedCurve: `P-${kind.slice(1, 4)}` });
}

/** What a signature says of an image. */
export interface SignedImage {
  readonly digest: string;
  /** `registry/repository`; written in the first form only. */
  readonly reference: string;
  readonly annotations?: Readonly<Record<string, unknown>>;
}

/** The payload in the simple signing format. */
export function simpleSigningPayload(image: SignedImage): Uint8Array<ArrayBuffer> {
  return utf8(JSON.stringify({
    critical: {
      identity: { "docker-reference": image.reference },
      image: { "docker-manifest-digest": image.digest },
      type: "cosign container image signature",
    },
    optional: image.annotations ?? null,
  }));
}

/** The in-toto statement of `cosign sign`, or one of another type. */
export function signStatement(
  image: SignedImage,
  predicateType = "https://sigstore.dev/cosign/sign/v1",
): Uint8Array<ArrayBuffer> {
  const [algorithm = "", hex = ""] = image.digest.split(":");
  return utf8(JSON.stringify({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ digest: { [algorithm]: hex }, annotations: image.annotations ?? {} }],
    predicateType,
    predicate: {},
  }));
}

/** `sha256-<hex>.sig` */
export function signatureTag(digest: string): string {
  return `${digest.replace(":", "-")}.sig`;
}

/** One signature of the first form: a layer and its annotations. */
export type SignatureLayer = Required<Pick<ArtifactFile, "bytes" | "mediaType" | "annotations">>;

/** A layer signed with a key; `log` has the entry recorded beside it, as `cosign sign --key` does by default. */
export function keyLayer(
  payload: Uint8Array<ArrayBuffer>,
  key: SigningKey,
  log?: SigstoreInstance,
): SignatureLayer {
  const signature = key.sign(payload);
  const entry = log?.enter(hashedRecord(payload, signature, key.publicPem, key.loggedHash), SIGNING_TIME);
  return layer(payload, { signature, ...(entry ? { entry } : {}) });
}

/** A layer signed by the holder of a certificate and entered into the log at `time`. */
export function certificateLayer(
  payload: Uint8Array<ArrayBuffer>,
  signer: {
    readonly certificate: IssuedCertificate;
    readonly sigstore: SigstoreInstance;
    readonly time?: Date;
  },
): SignatureLayer {
  const { certificate, sigstore, time = SIGNING_TIME } = signer;
  const signature = new Uint8Array(sign("sha256", payload, certificate.privateKey));
  const entry = sigstore.enter(hashedRecord(payload, signature, certificate.pem), time);
  return layer(payload, { signature, entry, certificate: certificate.pem });
}

function layer(
  payload: Uint8Array<ArrayBuffer>,
  parts: { readonly signature: Uint8Array; readonly entry?: LogEntry; readonly certificate?: string },
): SignatureLayer {
  const { signature, entry, certificate } = parts;
  return {
    bytes: payload,
    mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
    annotations: {
      "dev.cosignproject.cosign/signature": signature.toBase64(),
      ...(certificate === undefined ? {} : { "dev.sigstore.cosign/certificate": certificate }),
      ...(entry === undefined ? {} : {
        "dev.sigstore.cosign/bundle": JSON.stringify({
          SignedEntryTimestamp: entry.inclusionPromise.signedEntryTimestamp,
          Payload: {
            body: entry.canonicalizedBody,
            integratedTime: Number(entry.integratedTime),
            logIndex: Number(entry.logIndex),
            logID: Uint8Array.fromBase64(entry.logId.keyId).toHex(),
          },
        }),
      }),
    },
  };
}

/** The manifest the tag `sha256-<hex>.sig` names. */
export function signatureManifest(layers: readonly SignatureLayer[]): OciImage {
  return buildArtifact({ files: layers });
}

/** A DSSE envelope in a bundle, signed with a key. */
export function keyBundle(payload: Uint8Array<ArrayBuffer>, key: SigningKey): Record<string, unknown> {
  return {
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey: { hint: keyHint(key) }, tlogEntries: [] },
    dsseEnvelope: envelope(payload, key.sign(preAuthEncoding(payload))),
  };
}

/** A DSSE envelope in a bundle, signed by the holder of a certificate. */
export function certificateBundle(
  payload: Uint8Array<ArrayBuffer>,
  signer: {
    readonly certificate: IssuedCertificate;
    readonly sigstore: SigstoreInstance;
    readonly time?: Date;
  },
): Record<string, unknown> {
  const { certificate, sigstore, time = SIGNING_TIME } = signer;
  const signature = new Uint8Array(sign("sha256", preAuthEncoding(payload), certificate.privateKey));
  const spec = {
    payloadHash: { algorithm: "sha256", value: sha256(payload).toHex() },
    signatures: [{ signature: signature.toBase64(), verifier: utf8(certificate.pem).toBase64() }],
  };
  return {
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: {
      certificate: { rawBytes: certificate.der.toBase64() },
      tlogEntries: [sigstore.enter({ apiVersion: "0.0.1", kind: "dsse", spec }, time)],
    },
    dsseEnvelope: envelope(payload, signature),
  };
}

/** The same, entered into a log of Rekor 2, which tells no time. */
export function untimedCertificateBundle(
  payload: Uint8Array<ArrayBuffer>,
  signer: { readonly certificate: IssuedCertificate; readonly sigstore: SigstoreInstance },
): Record<string, unknown> {
  const { certificate, sigstore } = signer;
  const signature = new Uint8Array(sign("sha256", preAuthEncoding(payload), certificate.privateKey));
  const rawBytes = certificate.der.toBase64();
  const dsseV002 = {
    payloadHash: { algorithm: "SHA2_256", digest: sha256(payload).toBase64() },
    signatures: [{
      content: signature.toBase64(),
      verifier: { keyDetails: "PKIX_ECDSA_P256_SHA_256", x509Certificate: { rawBytes } },
    }],
  };
  return {
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: {
      certificate: { rawBytes },
      tlogEntries: [sigstore.enterUntimed({ apiVersion: "0.0.2", kind: "dsse", spec: { dsseV002 } })],
    },
    dsseEnvelope: envelope(payload, signature),
  };
}

/** A bare signature over the manifest's bytes in a bundle, signed with a key. */
export function messageBundle(manifest: Uint8Array, key: SigningKey): Record<string, unknown> {
  return {
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey: { hint: keyHint(key) }, tlogEntries: [] },
    messageSignature: {
      messageDigest: { algorithm: "SHA2_256", digest: sha256(manifest).toBase64() },
      signature: key.sign(manifest).toBase64(),
    },
  };
}

/** The manifest that carries a bundle and refers to the signed image. */
export function bundleReferrer(
  bundle: unknown,
  subject: Descriptor,
  predicateType = "https://sigstore.dev/cosign/sign/v1",
): OciImage {
  const mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
  return buildArtifact({
    artifactType: mediaType,
    subject,
    files: [{ bytes: utf8(JSON.stringify(bundle)), mediaType }],
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": predicateType,
    },
  });
}

function envelope(payload: Uint8Array, signature: Uint8Array): object {
  return {
    payload: payload.toBase64(),
    payloadType: "application/vnd.in-toto+json",
    signatures: [{ sig: signature.toBase64(), keyid: "" }],
  };
}

function preAuthEncoding(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array([...utf8(`DSSEv1 28 application/vnd.in-toto+json ${payload.length} `), ...payload]);
}

function hashedRecord(payload: Uint8Array, signature: Uint8Array, pem: string, algorithm = "sha256") {
  return {
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm, value: createHash(algorithm).update(payload).digest("hex") } },
      signature: { content: signature.toBase64(), publicKey: { content: utf8(pem).toBase64() } },
    },
  };
}

function keyHint(key: SigningKey): string {
  return sha256(Uint8Array.fromBase64(key.publicPem.replaceAll(/-----[^-]+-----|\s/g, ""))).toBase64();
}

function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
