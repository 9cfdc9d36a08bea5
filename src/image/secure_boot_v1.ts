import { createVerify } from "node:crypto";
import type { ByteTap } from "./image_source.ts";
import type { SignatureCheck } from "./secure_boot.ts";
import type { SecureBootKey } from "./secure_boot_key.ts";

/** A version number of 0, then r and s. */
export const v1Length = 68;

/** `espsecure` rounds a padded image up with 12 more bytes of any value. */
export const v1PaddedLength = 80;

/** With fewer bytes of r than these, chance could be behind a zero version. */
const leastEvidence = 20;

/**
 * Whether the bytes right after an image are a v1 signature, which has no magic: exactly as many as one, and
 * beginning with a zero version. `rest` is all that follows the image, or more than a signature's length of it.
 */
export function looksLikeV1(rest: Uint8Array): boolean {
  return (rest.length === v1Length || rest.length === v1PaddedLength) && beginsLikeV1(rest);
}

/** Whether they are the beginning of one, cut short. */
export function looksLikeCutV1(rest: Uint8Array): boolean {
  return rest.length >= leastEvidence && rest.length < v1Length && beginsLikeV1(rest);
}

/**
 * Prepares the check: ECDSA P-256 with SHA-256 over everything before `offset`, r and s big-endian. The key
 * is in the bootloader and not in the image, so without a given key nothing can be said.
 */
export function openV1Check(
  bytes: Uint8Array,
  offset: number,
  options: { readonly keys: readonly SecureBootKey[] },
): SignatureCheck {
  const signature = bytes.slice(4, v1Length);
  const candidates = options.keys.flatMap(({ publicKey, digest }) =>
    publicKey?.asymmetricKeyDetails?.namedCurve === "prime256v1"
      ? [{ publicKey, digest, verify: createVerify("sha256") }]
      : []
  );
  const tap: ByteTap = {
    end: offset,
    update: (signed) => candidates.forEach(({ verify }) => verify.update(signed)),
  };
  return {
    taps: [tap],
    conclude() {
      const about = { scheme: "v1", block: 0, offset } as const;
      if (candidates.length === 0) {
        const reason = "a v1 signature does not carry its key, and no ECDSA P-256 key was given";
        return { ...about, valid: "not verifiable", reason };
      }
      const signer = candidates.find(({ verify, publicKey }) =>
        verify.verify({ key: publicKey, dsaEncoding: "ieee-p1363" }, signature)
      );
      return signer === undefined
        ? { ...about, valid: false, reason: "it is not the signature of any given key over this image" }
        : { ...about, keyDigest: signer.digest, valid: true };
    },
  };
}

function beginsLikeV1(bytes: Uint8Array): boolean {
  const numbers = bytes.subarray(4, v1Length);
  return bytes.subarray(0, 4).every((byte) => byte === 0) &&
    !numbers.every((byte) => byte === 0) && !numbers.every((byte) => byte === 0xff);
}
