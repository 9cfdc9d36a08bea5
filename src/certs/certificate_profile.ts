import { CertsError } from "./certs_error.ts";
import { DEFAULT_KEY_ALGORITHM, KEY_ALGORITHMS, type KeyAlgorithmName } from "./key_algorithm.ts";
import type { Certificate, CertificateExtension, X509Library } from "./x509_library.ts";

/** The name that devices verify in the agent's certificate. */
export const AGENT_NAME = "ota-agent";

/** `ub-common-name` of RFC 5280, appendix A.1. */
const MAX_COMMON_NAME = 64;

/** A hundred years: longer than any device, and far from the end of the dates that DER can write. */
const MAX_DAYS = 36_500;

/** Clocks of a fleet differ: a certificate made now is valid one hour ago. */
const BACKDATED_MS = 60 * 60 * 1000;

const DAY_MS = 24 * 60 * 60 * 1000;

/** What an operator decides about a certificate. */
export interface CertificateSettings {
  /** Subject common name. */
  readonly commonName?: string;
  /** Days of validity from now. */
  readonly days?: number;
  /** Kind of the new key; `ecdsa-p256` when absent. */
  readonly algorithm?: KeyAlgorithmName;
}

/** Settings of which every one can stand in a certificate. */
export interface CheckedSettings {
  /** Subject common name. */
  readonly commonName: string;
  /** Kind of the new key. */
  readonly algorithm: KeyAlgorithmName;
  /** First moment of validity. */
  readonly notBefore: Date;
  /** Last moment of validity. */
  readonly notAfter: Date;
}

/** Fills in what is not set and checks the rest; throws {@linkcode CertsError} `invalid-setting`. */
export function checkSettings(
  settings: CertificateSettings,
  defaults: { readonly commonName: string; readonly days: number; readonly now: number },
): CheckedSettings {
  const commonName = settings.commonName ?? defaults.commonName;
  const days = settings.days ?? defaults.days;
  const algorithm = settings.algorithm ?? DEFAULT_KEY_ALGORITHM;
  if (commonName.trim() === "" || commonName.length > MAX_COMMON_NAME || /\p{Cc}/u.test(commonName)) {
    throw invalid("common name", commonName, `1 to ${MAX_COMMON_NAME} printable characters`);
  }
  if (!Number.isInteger(days) || days < 1 || days > MAX_DAYS) {
    throw invalid("days of validity", String(days), `a whole number from 1 to ${MAX_DAYS}`);
  }
  if (!KEY_ALGORITHMS.includes(algorithm)) {
    throw invalid("key algorithm", algorithm, KEY_ALGORITHMS.join(", "));
  }
  return {
    commonName,
    algorithm,
    notBefore: new Date(defaults.now - BACKDATED_MS),
    notAfter: new Date(defaults.now + days * DAY_MS),
  };
}

/** Checks names for the subject alternative name extension; throws {@linkcode CertsError} `invalid-setting`. */
export function checkDnsNames(names: readonly string[]): readonly string[] {
  const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;
  for (const name of names) {
    if (name.length > 253 || !name.split(".").every((part) => label.test(part))) {
      throw invalid("DNS name", name, "letters, digits and hyphens, in labels joined by dots");
    }
  }
  return names;
}

/** Extensions of an authority (RFC 5280, 4.2): CA:TRUE for leaves only, and the right to sign them. */
export async function authorityExtensions(
  x509: X509Library,
  publicKey: CryptoKey,
): Promise<CertificateExtension[]> {
  return [
    new x509.BasicConstraintsExtension(true, 0, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];
}

/**
 * Extensions of the agent's certificate: CA:FALSE, TLS server, its names. The key identifiers tell it from an
 * authority of the same name, such as the self-signed `CN=ota-agent` in the field.
 */
export async function leafExtensions(
  x509: X509Library,
  leaf: {
    readonly publicKey: CryptoKey;
    readonly dnsNames: readonly string[];
    readonly issuer: Certificate;
  },
): Promise<CertificateExtension[]> {
  const isRsa = leaf.publicKey.algorithm.name.startsWith("RSA");
  const { digitalSignature, keyEncipherment } = x509.KeyUsageFlags;
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    // keyEncipherment is for TLS 1.2 suites without forward secrecy, which old devices may still ask for.
    new x509.KeyUsagesExtension(isRsa ? digitalSignature | keyEncipherment : digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension(leaf.dnsNames.map((value) => ({ type: "dns" as const, value }))),
    await x509.SubjectKeyIdentifierExtension.create(leaf.publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(leaf.issuer.publicKey),
  ];
}

function invalid(what: string, found: string, wanted: string): CertsError {
  return new CertsError("invalid-setting", `Cannot use ${what} '${found}': expected ${wanted}`);
}
