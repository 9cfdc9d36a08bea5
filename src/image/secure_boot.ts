import type { Chip, SecureBootScheme } from "./chip.ts";
import type { ByteTap } from "./image_source.ts";

/** A Secure Boot signature found in an image. */
export interface SecureBootSignature {
  /** `unknown` where a block is too damaged, or too new, to tell. */
  readonly scheme: SecureBootScheme | "unknown";
  /** Position among the blocks of the signature sector, from 0. */
  readonly block: number;
  /** File offset. */
  readonly offset: number;
  /**
   * Digest of the public key as burned to eFuses, 64 hex digits. A v1 signature does not carry its key: there
   * it is the digest of the given key that it was verified with.
   */
  readonly keyDigest?: string;
  /** Whether the signature is that key's over these bytes. */
  readonly valid: boolean | "not verifiable";
  /** Why it is not valid or not verifiable. */
  readonly reason?: string;
}

/** A signature on its way to a verdict, which needs the signed bytes. */
export interface SignatureCheck {
  /** To be shown the file; none where the verdict is clear without. */
  readonly taps: readonly ByteTap[];
  /** The verdict, after the taps have seen the file. */
  conclude(): SecureBootSignature;
}

/** Whether the chip can check a signature of this scheme; v1 has ended with the chips that are known to have it. */
export function canCheck(chip: Chip, scheme: SecureBootScheme | "unknown"): boolean {
  if (chip.schemes === undefined) return scheme !== "v1";
  return chip.schemes.some((known) => known === scheme);
}
