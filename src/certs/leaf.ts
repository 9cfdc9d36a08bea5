import { createPrivateKey, type KeyObject } from "node:crypto";
import type { Files, World } from "../world.ts";
import {
  AGENT_NAME,
  type CertificateSettings,
  checkDnsNames,
  checkSettings,
  leafExtensions,
} from "./certificate_profile.ts";
import { CertsError } from "./certs_error.ts";
import { algorithmOfKey, type KeyImport } from "./key_algorithm.ts";
import { issued, type IssuedCertificate, newKeys, newSerialNumber, pemPair } from "./new_certificate.ts";
import { checkPathsAreFree, type PemPaths, writePair } from "./pem_pair.ts";
import { type Certificate, type X509Library, x509Library } from "./x509_library.ts";

/** A year: renewing costs nothing as long as the authority is pinned. */
const LEAF_DAYS = 365;

/** Bytes of a PEM file: an RSA-4096 key has 3.3 KB, and a certificate with many names 10 KB. */
const MAX_PEM = 64 * 1024;

/** Where a leaf is to be made, by which authority, and how. */
export interface LeafSettings extends CertificateSettings {
  /** Existing files of the authority that devices pin. */
  readonly authority: PemPaths;
  /** New files, for the agent. */
  readonly paths: PemPaths;
  /** Names in the subject alternative name extension; `ota-agent` when absent. */
  readonly dnsNames?: readonly string[];
}

/** An authority that can sign. */
interface Authority {
  readonly certificate: Certificate;
  readonly key: CryptoKey;
  readonly algorithm: KeyImport;
}

/**
 * Makes a certificate for the agent, issued by an authority: one of {@linkcode initAuthority}, or any CA:TRUE pair that
 * devices have compiled in, such as the self-signed one in the field.
 *
 * Throws {@linkcode CertsError}.
 */
export async function issueLeaf(
  settings: LeafSettings,
  world: Pick<World, "clock" | "files" | "log">,
): Promise<IssuedCertificate> {
  const { paths } = settings;
  const now = world.clock.now();
  const checked = checkSettings(settings, { commonName: AGENT_NAME, days: LEAF_DAYS, now });
  const dnsNames = checkDnsNames(settings.dnsNames ?? [AGENT_NAME]);
  await checkPathsAreFree(paths, world.files);
  const x509 = await x509Library();
  const authority = await readAuthority(settings.authority, x509, world.files);
  if (authority.certificate.notAfter < checked.notAfter) {
    world.log.warn("The authority's certificate ends before the new one", {
      authority: authority.certificate.notAfter.toISOString(),
      leaf: checked.notAfter.toISOString(),
    });
  }
  const keys = await newKeys(checked.algorithm);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerialNumber(),
    subject: [{ CN: [checked.commonName] }],
    issuer: authority.certificate.subjectName,
    notBefore: checked.notBefore,
    notAfter: checked.notAfter,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    signingAlgorithm: authority.algorithm,
    extensions: await leafExtensions(x509, {
      publicKey: keys.publicKey,
      dnsNames,
      issuer: authority.certificate,
    }),
  });
  if (!await certificate.verify({ publicKey: authority.certificate.publicKey, signatureOnly: true })) {
    throw new CertsError(
      "key-mismatch",
      `Cannot issue with '${settings.authority.key}': it is not the key of '${settings.authority.certificate}'`,
    );
  }
  await writePair(await pemPair(x509, certificate, keys.privateKey), paths, world.files);
  return await issued(certificate, { paths, commonName: checked.commonName });
}

async function readAuthority(paths: PemPaths, x509: X509Library, files: Files): Promise<Authority> {
  const certificate = await parsed(paths.certificate, files, (pem) => new x509.X509Certificate(pem));
  const constraints = certificate.getExtension(x509.BasicConstraintsExtension);
  if (constraints?.ca !== true) {
    throw new CertsError(
      "not-an-authority",
      `Cannot issue with '${paths.certificate}': it is not CA:TRUE, expected the authority that devices pin`,
    );
  }
  // PKCS #8, and the older forms that openssl writes.
  const key = await parsed(paths.key, files, (pem) => createPrivateKey(pem));
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) {
    throw new CertsError(
      "unreadable",
      `Cannot issue with '${paths.key}': expected an RSA key or an ECDSA key on P-256 or P-384`,
    );
  }
  return { certificate, key: await importKey(key, algorithm), algorithm };
}

async function parsed<Value>(path: string, files: Files, parse: (pem: string) => Value): Promise<Value> {
  try {
    return parse(await files.readText(path, MAX_PEM));
  } catch (error) {
    // The parsers' messages can hold parts of what they were given, which may be a key: the cause is left out.
    const name = error instanceof Error ? error.name : "error";
    const found = name === "NotFound" ? "there is no such file" : name;
    throw new CertsError("unreadable", `Cannot read '${path}': ${found}, expected an unencrypted PEM file`);
  }
}

function algorithmOf(key: KeyObject): KeyImport | undefined {
  return algorithmOfKey({
    type: key.asymmetricKeyType ?? "",
    curve: key.asymmetricKeyDetails?.namedCurve ?? "",
  });
}

function importKey(key: KeyObject, algorithm: KeyImport): Promise<CryptoKey> {
  const der = new Uint8Array(key.export({ type: "pkcs8", format: "der" }));
  return crypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}
