import { Buffer } from "node:buffer";
import crypto from "node:crypto";
import type { Bundle } from "@sigstore/bundle";
import { IN_TOTO_PAYLOAD_TYPE, statementClaim } from "./in_toto_statement.ts";
import { SignatureError } from "./signature_error.ts";
import type { FetchedManifest } from "./signature_source.ts";
import type { SignatureContent } from "./stored_signature.ts";

/** `application/vnd.dev.sigstore.bundle.v0.3+json` and its older spelling. */
export const BUNDLE_MEDIA_TYPE = /^application\/vnd\.dev\.sigstore\.bundle(\.v\d+\.\d+)?\+json(;.*)?$/;

/** A signature has one log entry or timestamp, two while a log is being replaced; each costs a verification or two. */
const MAX_PROOFS = 16;

/** Hash algorithms of a message signature, by the number the format gives them. */
const DIGESTS: Readonly<Record<number, string>> = { 1: "sha256", 2: "sha384", 3: "sha512" };

/**
 * A Sigstore bundle from its JSON value.
 *
 * Throws {@linkcode SignatureError} `bad-bundle` or `limit`.
 */
export async function readBundle(json: unknown): Promise<Bundle> {
  const { bundleFromJSON } = await import("@sigstore/bundle");
  let bundle: Bundle;
  try {
    // Trust boundary: the value is the registry's; the library checks its form here and nothing else.
    bundle = bundleFromJSON(json);
  } catch (cause) {
    throw new SignatureError("bad-bundle", "Cannot read a Sigstore bundle: it is not in the bundle format", {
      cause,
    });
  }
  const { tlogEntries, timestampVerificationData } = bundle.verificationMaterial;
  const proofs = tlogEntries.length + (timestampVerificationData?.rfc3161Timestamps.length ?? 0);
  if (proofs > MAX_PROOFS) {
    throw new SignatureError(
      "limit",
      `Cannot read a Sigstore bundle: it holds ${proofs} log entries and timestamps, at most ${MAX_PROOFS} are read`,
    );
  }
  return bundle;
}

/**
 * A signature in the form of a bundle file, or `undefined` when the bundle attests something else.
 *
 * `signed` gives the signed manifest itself, which a bundle with a bare message signature is over.
 * Throws {@linkcode SignatureError} `bad-bundle`, `altered-payload` or `limit`.
 */
export async function readStoredBundle(
  file: Uint8Array,
  signed: () => Promise<FetchedManifest>,
): Promise<SignatureContent | undefined> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file));
  } catch (cause) {
    throw new SignatureError("bad-bundle", "Cannot read a Sigstore bundle: it is not JSON", { cause });
  }
  const bundle = await readBundle(json);
  const { content } = bundle.verificationMaterial;
  const common = {
    hints: content.$case === "publicKey" ? { key: content.publicKey.hint } : {},
    ...(content.$case === "publicKey" ? {} : { certified: bundle }),
  };

  if (bundle.content.$case === "messageSignature") {
    const { messageDigest, signature } = bundle.content.messageSignature;
    const algorithm = DIGESTS[messageDigest.algorithm];
    if (!algorithm) {
      throw new SignatureError("bad-bundle", "Cannot read a Sigstore bundle: unknown hash algorithm");
    }
    const manifest = await signed();
    const digest = crypto.createHash(algorithm).update(manifest.bytes).digest();
    if (!digest.equals(messageDigest.digest)) {
      throw new SignatureError(
        "wrong-digest",
        `Cannot accept a signature of another image: it is over ${algorithm}:${
          messageDigest.digest.toString("hex").slice(0, 128)
        }, wanted ${manifest.digest}`,
      );
    }
    return {
      ...common,
      bytes: manifest.bytes,
      signature,
      claim: () => ({ subjects: [{ digest: manifest.digest, annotations: {} }] }),
    };
  }

  const { payloadType, payload, signatures } = bundle.content.dsseEnvelope;
  if (payloadType !== IN_TOTO_PAYLOAD_TYPE) return undefined;
  const claim = statementClaim(payload);
  if (claim === undefined) return undefined;
  return {
    ...common,
    bytes: preAuthEncoding(payloadType, payload),
    signature: signatures[0]?.sig ?? new Uint8Array(),
    claim: () => claim,
  };
}

/** What a DSSE signature is over (github.com/secure-systems-lab/dsse protocol.md, "PAE"). */
function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}
