import type { TrustMaterial } from "@sigstore/verify";

export type { TrustMaterial } from "@sigstore/verify";

/** What a trusted root file says: who may issue certificates, and which logs and clocks witness signatures. */
export interface KeylessTrust {
  /** The file it came from, for reports. */
  readonly file: string;
  /** Its keys and certificates, ready for use. */
  readonly material: TrustMaterial;
}

/**
 * Reads a trusted root (`application/vnd.dev.sigstore.trustedroot+json`, as `cosign trusted-root create` or
 * Sigstore's TUF repository give it).
 *
 * Rejects with `TypeError` whose message says what is wrong.
 */
export async function readTrustedRoot(file: string, text: string): Promise<KeylessTrust> {
  const material = await toMaterial(text);
  if (material.certificateAuthorities.every(({ certChain }) => certChain.length === 0)) {
    throw new TypeError("it names no certificate authority");
  }
  if (material.tlogs.length === 0 && material.timestampAuthorities.length === 0) {
    throw new TypeError(
      "it names neither a transparency log nor a timestamp authority, so no signature has a time",
    );
  }
  return { file, material };
}

async function toMaterial(text: string): Promise<TrustMaterial> {
  const [{ TrustedRoot }, { toTrustMaterial }] = await Promise.all([
    import("@sigstore/protobuf-specs"),
    import("@sigstore/verify"),
  ]);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TypeError("it is not JSON", { cause });
  }
  try {
    return toTrustMaterial(TrustedRoot.fromJSON(json));
  } catch (cause) {
    throw new TypeError("it is not a Sigstore trusted root", { cause });
  }
}
