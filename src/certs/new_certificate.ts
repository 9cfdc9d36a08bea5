import { type KeyAlgorithmName, signingAlgorithm } from "./key_algorithm.ts";
import type { PemPair, PemPaths } from "./pem_pair.ts";
import type { Certificate, X509Library } from "./x509_library.ts";

/** A certificate that now lies on the disk. */
export interface IssuedCertificate {
  /** Where it and its key were written. */
  readonly paths: PemPaths;
  /** Subject common name. */
  readonly commonName: string;
  /** Last moment of validity. */
  readonly notAfter: Date;
  /** SHA-256 of the certificate's DER, lower-case hex. */
  readonly sha256: string;
}

/** A new key pair that signs; the private half can be exported once, for its file. */
export async function newKeys(algorithm: KeyAlgorithmName): Promise<CryptoKeyPair> {
  const keys = await crypto.subtle.generateKey(signingAlgorithm(algorithm), true, ["sign", "verify"]);
  if (!("privateKey" in keys)) throw new TypeError(`'${algorithm}' gives no key pair`);
  return keys;
}

/** 16 random bytes (RFC 5280, 4.1.2.2: positive, at most 20), as hex. */
export function newSerialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  // Top bits 01: neither negative nor with a leading zero that an encoder would have to drop.
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toHex();
}

/** Both as PEM text. */
export async function pemPair(
  x509: X509Library,
  certificate: Certificate,
  privateKey: CryptoKey,
): Promise<PemPair> {
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", privateKey);
  return {
    certificate: `${certificate.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
  };
}

/** What to tell of a certificate that has been written. */
export async function issued(
  certificate: Certificate,
  about: { readonly paths: PemPaths; readonly commonName: string },
): Promise<IssuedCertificate> {
  const sha256 = new Uint8Array(await certificate.getThumbprint("SHA-256")).toHex();
  return { ...about, notAfter: certificate.notAfter, sha256 };
}
