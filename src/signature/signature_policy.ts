import type { AcceptedSigner } from "./certificate_signer.ts";
import type { KeylessTrust } from "./keyless_trust.ts";
import { SignatureError } from "./signature_error.ts";
import type { TrustedKey } from "./trusted_key.ts";

/**
 * - `off`: signatures are not looked for
 * - `auto`: looked for when there is something to verify them with; a wrong one is refused, none is a warning
 * - `require`: without an accepted signature nothing goes on
 */
export type SignatureMode = "off" | "auto" | "require";

/** Who must have signed the image, and what must be signed about it. */
export interface SignaturePolicy {
  /** How much depends on a signature. */
  readonly mode: SignatureMode;
  /** Any of these keys may have signed ... */
  readonly keys: readonly TrustedKey[];
  /** ... or any of these holders of a certificate that `trust` leads to. */
  readonly identities: readonly AcceptedSigner[];
  /** There whenever there are identities. */
  readonly trust?: KeylessTrust;
  /** Signed annotations that must be there with these values. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Other repositories, or prefixes of them, the image may have been signed for; `*` is any. */
  readonly signedAs: readonly string[];
}

/** True when the policy names somebody who may sign. */
export function canVerify(policy: SignaturePolicy): boolean {
  return policy.keys.length > 0 || policy.identities.length > 0;
}

/** Throws {@linkcode SignatureError} `no-trust` when a signature is required that nothing could verify. */
export function demandTrust(policy: SignaturePolicy): void {
  if (policy.mode !== "require" || canVerify(policy)) return;
  throw new SignatureError(
    "no-trust",
    "Cannot require a signature: nothing to verify it with, give --cosign-key, or --certificate-identity with --certificate-oidc-issuer and --trusted-root",
  );
}
