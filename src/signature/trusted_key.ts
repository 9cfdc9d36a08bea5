import crypto, { type KeyObject } from "node:crypto";
import { Buffer } from "node:buffer";

/** A public key that may sign images. */
export interface TrustedKey {
  /** The file it came from, for reports. */
  readonly file: string;
  /** ECDSA P-256, P-384 or P-521, RSA of at least 2048 bits, or Ed25519. */
  readonly key: KeyObject;
  /** Base64 SHA-256 of its DER form: how cosign names a key inside a bundle. */
  readonly hint: string;
}

/** Shorter RSA keys can be broken by a well-equipped attacker (NIST SP 800-131A). */
const MIN_RSA_BITS = 2048;

const CURVES: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ["sha256"],
  secp384r1: ["sha384", "sha256"], // cosign up to 2 signs with SHA-256 whatever the curve
  secp521r1: ["sha512"],
};

/**
 * Reads one public key in PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`).
 *
 * Throws `TypeError` whose message says what is wrong, without any of the file's content.
 */
export function parseTrustedKey(file: string, pem: string): TrustedKey {
  const labels = [...pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(([, label]) => label ?? "");
  if (labels.some((label) => label.includes("PRIVATE KEY"))) {
    throw new TypeError("it holds a private key, give the public one only");
  }
  if (labels.length !== 1) throw new TypeError(`it holds ${labels.length} PEM blocks, wanted one public key`);
  if (!labels[0]?.endsWith("PUBLIC KEY")) throw new TypeError(`it holds a ${labels[0]}, wanted a PUBLIC KEY`);
  let key: KeyObject;
  try {
    key = crypto.createPublicKey(pem);
  } catch (cause) {
    throw new TypeError("its PEM block cannot be read as a public key", { cause });
  }
  const fault = unsupported(key);
  if (fault) throw new TypeError(fault);
  const der = key.export({ type: "spki", format: "der" });
  return { file, key, hint: crypto.createHash("sha256").update(der).digest("base64") };
}

function unsupported(key: KeyObject): string | undefined {
  const { namedCurve = "", modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return undefined;
    case "ec":
      return namedCurve in CURVES ? undefined : `curve ${namedCurve} is not one of P-256, P-384, P-521`;
    case "rsa":
      return modulusLength >= MIN_RSA_BITS
        ? undefined
        : `${modulusLength} RSA bits, wanted ${MIN_RSA_BITS} or more`;
    default:
      return `${key.asymmetricKeyType} keys are not supported, use ECDSA, RSA or Ed25519`;
  }
}

/** True when `signature` over `bytes` was made with the private half of `key`, in any scheme usual for its type. */
export function isSignedBy(
  { key }: TrustedKey,
  signed: { readonly bytes: Uint8Array; readonly signature: Uint8Array },
): boolean {
  const verify = (digest: string | null, how: object = {}): boolean => {
    try {
      return crypto.verify(digest, Buffer.from(signed.bytes), { key, ...how }, Buffer.from(signed.signature));
    } catch {
      return false; // a signature of impossible length or encoding is no signature of this key
    }
  };
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return verify(null);
    case "ec":
      return (CURVES[key.asymmetricKeyDetails?.namedCurve ?? ""] ?? []).some((digest) => verify(digest));
    case "rsa": {
      const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_AUTO } = crypto.constants;
      return ["sha256", "sha384", "sha512"].some((digest) =>
        verify(digest, { padding: RSA_PKCS1_PADDING }) ||
        verify(digest, { padding: RSA_PKCS1_PSS_PADDING, saltLength: RSA_PSS_SALTLEN_AUTO })
      );
    }
    default:
      return false;
  }
}
