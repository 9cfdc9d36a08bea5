import { readTrustedRoot } from "../../src/signature/keyless_trust.ts";
import { SignatureError, type SignatureErrorCode } from "../../src/signature/signature_error.ts";
import type { SignaturePolicy } from "../../src/signature/signature_policy.ts";
import { parseTrustedKey } from "../../src/signature/trusted_key.ts";
import {
  type SignatureReport,
  type SignedSubject,
  verifySignatures,
} from "../../src/signature/verify_signatures.ts";
import { buildImage, buildIndex, type OciImage } from "../builders/oci_image.ts";
import { buildLayer } from "../builders/oci_layer.ts";
import type { SigningKey } from "../builders/signatures.ts";
import type { SigstoreInstance } from "../builders/sigstore_instance.ts";
import { type MemorySource, memorySource } from "./memory_source.ts";

/** The repository all these tests pull from, unless they say otherwise. */
export const REPOSITORY = "registry.test/acme/firmware";

/** An identity and issuer, as a pipeline on GitHub has them. */
export const SIGNER = {
  identity: "https://github.com/acme/firmware/.github/workflows/build.yml@refs/heads/main",
  issuer: "https://token.actions.githubusercontent.com",
};

/** A repository with an index of one platform, and what is asked about it. */
export interface SignedImageCase {
  readonly source: MemorySource;
  readonly subject: SignedSubject & { readonly indexDigest: string };
  readonly index: OciImage;
  readonly manifest: OciImage;
}

/** An image for one platform under an index, unsigned. */
export function unsignedImage(reference = REPOSITORY, content = "firmware"): SignedImageCase {
  const manifest = buildImage({
    format: "oci",
    platform: { os: "custom", architecture: "esp32s3" },
    layers: [buildLayer(new TextEncoder().encode(content), { format: "oci" })],
  });
  const index = buildIndex({ format: "oci", entries: [manifest] });
  const source = memorySource();
  source.put(index, "1.0");
  return {
    source,
    index,
    manifest,
    subject: { reference, indexDigest: index.descriptor.digest, manifestDigest: manifest.descriptor.digest },
  };
}

/** A policy that requires a signature by any of the keys. */
export function keyPolicy(keys: readonly SigningKey[], more: Partial<SignaturePolicy> = {}): SignaturePolicy {
  return {
    mode: "require",
    keys: keys.map((key, at) => parseTrustedKey(`key${at}.pub`, key.publicPem)),
    identities: [],
    annotations: {},
    signedAs: [],
    ...more,
  };
}

/** A policy that requires a signature by {@linkcode SIGNER} with a certificate of the instance. */
export async function certificatePolicy(
  sigstore: SigstoreInstance,
  more: Partial<SignaturePolicy> = {},
): Promise<SignaturePolicy> {
  const trust = await readTrustedRoot("trusted_root.json", JSON.stringify(sigstore.trustedRoot));
  return { mode: "require", keys: [], identities: [SIGNER], trust, annotations: {}, signedAs: [], ...more };
}

/** Runs the check over the repository in memory. */
export function verify(image: SignedImageCase, policy: SignaturePolicy): Promise<SignatureReport> {
  return verifySignatures(image.subject, policy, {
    source: image.source,
    signal: new AbortController().signal,
  });
}

/** The state reached or the code of the refusal; other failures reject. */
export async function outcome(
  report: Promise<SignatureReport>,
): Promise<SignatureReport["state"] | SignatureErrorCode> {
  try {
    return (await report).state;
  } catch (failure) {
    if (failure instanceof SignatureError) return failure.code;
    throw failure;
  }
}
