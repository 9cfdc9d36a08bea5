import type { Bundle } from "@sigstore/bundle";
import type { Claim } from "./claim.ts";

export type { Bundle } from "@sigstore/bundle";

/** One signature found beside an image, read but not verified. */
export interface StoredSignature extends SignatureContent {
  /** Where it lies: `tag` is the `sha256-<hex>.sig` form, `referrer` the OCI referrers one. */
  readonly form: "tag" | "referrer";
}

/** A signature by itself. */
export interface SignatureContent {
  /** The bytes that were signed. */
  readonly bytes: Uint8Array;
  /** As the signer's algorithm has it: DER of two numbers for ECDSA. */
  readonly signature: Uint8Array;
  /** What the signed bytes state. Throws `SignatureError` when they cannot be read. */
  claim(): Claim;
  /** The whole as a Sigstore bundle; there if it carries a certificate. */
  readonly certified?: Bundle;
  /** What the bundle hints at without proof, used only to name a refusal well. */
  readonly hints: SignerHints;
}

/** Unproven words about a signature. */
export interface SignerHints {
  /** Base64 SHA-256 of the signer's public key in DER. */
  readonly key?: string;
  /** `<algorithm>:<hex>` of the signed bytes, as a transparency log's entry beside the signature has it. */
  readonly loggedDigest?: string;
}
