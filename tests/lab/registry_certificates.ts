/**
 * A certificate authority of a few moments' life, for registries over TLS, clients that show a certificate, and
 * token servers that sign.
 *
 * @module
 */

import "reflect-metadata";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

/** Key algorithms by the name JSON Web Signatures give them (RFC 7518 section 3.1). */
export const KEY_ALGORITHMS = {
  ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  RS256: {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: "SHA-256",
  },
} as const;

const AUTHORITY_NAME = "Lab authority";

/** A certificate with its key, both as PEM. */
export interface CertifiedKey {
  /** PEM. */
  readonly certificate: string;
  /** PKCS #8, PEM. */
  readonly key: string;
}

/** An authority that issues certificates for loopback. */
export interface Authority {
  /** PEM of its own certificate, which peers are told to trust. */
  readonly certificate: string;
  /** A server certificate for `127.0.0.1`, `::1` and `localhost`. */
  issueServer(): Promise<CertifiedKey>;
  /** A client certificate with that common name. */
  issueClient(commonName: string): Promise<CertifiedKey>;
}

/** Makes an authority. */
export async function makeAuthority(): Promise<Authority> {
  const { certificate, keys } = await makeSelfSigned(AUTHORITY_NAME, "ES256");
  const issue = async (commonName: string, use: ExtendedKeyUsage): Promise<CertifiedKey> => {
    const leafKeys = await generateKeys("ES256");
    const leaf = await X509CertificateGenerator.create({
      subject: `CN=${commonName}`,
      issuer: `CN=${AUTHORITY_NAME}`,
      publicKey: leafKeys.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: KEY_ALGORITHMS.ES256,
      ...validity(),
      extensions: [
        new BasicConstraintsExtension(false),
        new ExtendedKeyUsageExtension([use]),
        new SubjectAlternativeNameExtension([
          { type: "ip", value: "127.0.0.1" },
          { type: "ip", value: "::1" },
          { type: "dns", value: "localhost" },
        ]),
      ],
    });
    const key = await crypto.subtle.exportKey("pkcs8", leafKeys.privateKey);
    return { certificate: leaf.toString("pem"), key: PemConverter.encode(key, "PRIVATE KEY") };
  };
  return {
    certificate,
    issueServer: () => issue("localhost", ExtendedKeyUsage.serverAuth),
    issueClient: (commonName) => issue(commonName, ExtendedKeyUsage.clientAuth),
  };
}

/** A certificate that vouches for itself. */
export interface SelfSigned {
  /** PEM. */
  readonly certificate: string;
  /** The same in DER. */
  readonly der: Uint8Array<ArrayBuffer>;
  /** Both keys, exportable. */
  readonly keys: CryptoKeyPair;
}

/** Makes a self-signed certificate and its key pair. */
export async function makeSelfSigned(
  commonName: string,
  algorithm: keyof typeof KEY_ALGORITHMS,
): Promise<SelfSigned> {
  const keys = await generateKeys(algorithm);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${commonName}`,
    keys,
    signingAlgorithm: KEY_ALGORITHMS[algorithm],
    ...validity(),
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  return { certificate: certificate.toString("pem"), der: new Uint8Array(certificate.rawData), keys };
}

async function generateKeys(algorithm: keyof typeof KEY_ALGORITHMS): Promise<CryptoKeyPair> {
  const keys = await crypto.subtle.generateKey(KEY_ALGORITHMS[algorithm], true, ["sign", "verify"]);
  if (!("privateKey" in keys)) throw new TypeError("Cannot generate a key pair: got a single key");
  return keys;
}

/** From an hour ago, for clocks that disagree, to tomorrow. */
function validity(): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - 3_600_000), notAfter: new Date(now + 86_400_000) };
}
