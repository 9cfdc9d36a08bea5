/** Kinds of key that every device's TLS stack verifies, by the names of the command line. */
export const KEY_ALGORITHMS = ["ecdsa-p256", "rsa-2048", "rsa-3072"] as const;

/** One of {@linkcode KEY_ALGORITHMS}. */
export type KeyAlgorithmName = typeof KEY_ALGORITHMS[number];

/** Parameters of a key and of what it signs, as WebCrypto takes them. */
export type SigningAlgorithm =
  | EcKeyGenParams & EcdsaParams
  | RsaHashedKeyGenParams & { readonly hash: "SHA-256" };

/** Default: the smallest handshake for the device, and a key in a moment for us. */
export const DEFAULT_KEY_ALGORITHM: KeyAlgorithmName = "ecdsa-p256";

/** WebCrypto's parameters for a named algorithm; all sign with SHA-256, which mbedTLS always has. */
export function signingAlgorithm(name: KeyAlgorithmName): SigningAlgorithm {
  if (name === "ecdsa-p256") return { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  return {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: name === "rsa-2048" ? 2048 : 3072,
    publicExponent: Uint8Array.of(1, 0, 1),
  };
}

/** Parameters that a key of an existing certificate signs with, or `undefined` for a kind of key that is not ours. */
export function algorithmOfKey(
  key: { readonly type?: string; readonly curve?: string },
): KeyImport | undefined {
  if (key.type === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  if (key.type === "ec" && key.curve === "prime256v1") {
    return { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  }
  if (key.type === "ec" && key.curve === "secp384r1") {
    return { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" };
  }
  return undefined;
}

/** Parameters for importing an existing key and for signing with it. */
export type KeyImport =
  | EcKeyImportParams & EcdsaParams
  | RsaHashedImportParams & { readonly hash: "SHA-256" };
