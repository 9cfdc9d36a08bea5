/** What is known of the device before it dials. */
export interface ExpectedDevice {
  /** Lower-case hexadecimal fingerprint of the certificate it showed on `/onboard`. */
  readonly certificateSha256?: string;
  /** Its IPv4 address. */
  readonly address?: string;
  /** Whether a peer that cannot be recognised is refused, and not only warned about. */
  readonly require: boolean;
}

/** What a peer shows of itself. */
export interface PresentedIdentity {
  /** Lower-case hexadecimal fingerprint of its certificate. */
  readonly certificateSha256: string;
  /** Its IPv4 address, or what a NAT made of it. */
  readonly address: string;
}

/** Whether a peer is the device this run is for. */
export type IdentityVerdict =
  | {
    readonly kind: "device";
    readonly by: "certificate" | "address" | "nothing";
    readonly warning?: string;
  }
  | { readonly kind: "other"; readonly reason: string };

/**
 * A known certificate decides alone. Without one the address is compared, which a NAT between may spoil: so another
 * address is a warning unless recognition is required.
 *
 * | certificate expected | address expected | verdict |
 * |---|---|---|
 * | same | any | device |
 * | another | any | other |
 * | no | same | device |
 * | no | another | device with a warning; `require`: other |
 * | no | no | device; `require`: other |
 */
export function judgeIdentity(
  presented: PresentedIdentity,
  expected: ExpectedDevice | undefined,
): IdentityVerdict {
  if (expected?.certificateSha256 !== undefined) {
    return expected.certificateSha256.toLowerCase() === presented.certificateSha256
      ? { kind: "device", by: "certificate" }
      : { kind: "other", reason: "it presents a certificate that is not the device's" };
  }
  if (expected?.address === undefined) {
    return expected?.require
      ? {
        kind: "other",
        reason: "neither certificate nor address of the device is known, and one is required",
      }
      : { kind: "device", by: "nothing" };
  }
  if (expected.address === presented.address) return { kind: "device", by: "address" };
  const mismatch = `its address ${presented.address} is not the device's ${expected.address}`;
  return expected.require
    ? { kind: "other", reason: mismatch }
    : { kind: "device", by: "nothing", warning: `Serving a peer although ${mismatch}` };
}
