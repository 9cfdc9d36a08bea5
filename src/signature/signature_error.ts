import { CodedError } from "../coded_error.ts";

/**
 * Why an image's signature was not accepted.
 *
 * - `missing`: the policy requires a signature and the registry holds none
 * - `wrong-key`: none of the trusted keys made it (over these bytes), or it was made by a kind of signer not trusted
 * - `untrusted-certificate`: its certificate leads to no authority of the trusted root
 * - `wrong-digest`: genuine, but it names another digest: the signature of another image
 * - `wrong-reference`: genuine and of this digest, but made for another repository
 * - `altered-payload`: there is evidence that the signed bytes were changed after signing
 * - `expired-certificate`: signed outside the certificate's validity
 * - `wrong-identity`, `wrong-issuer`: a trusted certificate of somebody else
 * - `missing-annotation`: genuine, without an annotation the policy requires
 * - `bad-bundle`: not a signature that can be read, or without the proofs the trusted root demands
 * - `no-trust`: a signature is required and nothing is configured to verify it with
 * - `limit`: more or larger than this program is willing to read
 * - `bad-policy`: the policy itself is faulty
 */
export type SignatureErrorCode =
  | "missing"
  | "wrong-key"
  | "untrusted-certificate"
  | "wrong-digest"
  | "wrong-reference"
  | "altered-payload"
  | "expired-certificate"
  | "wrong-identity"
  | "wrong-issuer"
  | "missing-annotation"
  | "bad-bundle"
  | "no-trust"
  | "limit"
  | "bad-policy";

/** The signature policy is not met, or cannot be applied. */
export class SignatureError extends CodedError<SignatureErrorCode> {}

/** From "could not even be read" to "everything but the last check": which refusal says most about a signature. */
const NEARNESS: readonly SignatureErrorCode[] = [
  "bad-bundle",
  "limit",
  "wrong-key",
  "untrusted-certificate",
  "altered-payload",
  "expired-certificate",
  "wrong-identity",
  "wrong-issuer",
  "wrong-digest",
  "wrong-reference",
  "missing-annotation",
];

/** Of several refused signatures, the refusal of the one that came nearest to being accepted. */
export function nearestRefusal(refusals: readonly SignatureError[]): SignatureError | undefined {
  return refusals.reduce<SignatureError | undefined>(
    (nearest, refusal) =>
      nearest === undefined || NEARNESS.indexOf(refusal.code) > NEARNESS.indexOf(nearest.code)
        ? refusal
        : nearest,
    undefined,
  );
}

/** Foreign text for a message: one line, no control characters, at most 200 characters. */
export function quoted(text: string): string {
  const printable = text.replace(/[\p{Cc}\p{Cf}]/gu, "?");
  return `'${printable.length > 200 ? `${printable.slice(0, 200)}...` : printable}'`;
}
