import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { World } from "../world.ts";
import { OtaAgentError } from "./ota_agent_error.ts";

/** The name devices ask for and verify; it is compiled into them. */
const SERVER_NAME = "ota-agent";

/** A chain of four RSA-4096 certificates is 9 KiB. */
const MAX_PEM_BYTES = 64 * 1024;

/** A certificate and a key that belong together and are for `ota-agent`. */
export interface KeyPair {
  /** PEM chain, leaf first. */
  readonly certificate: string;
  /** PEM private key. */
  readonly key: string;
  /** What is odd about them and stops nothing. */
  readonly warnings: readonly string[];
}

/** Reads and checks both files. Throws {@linkcode OtaAgentError} `bad-key-pair`. */
export async function readKeyPair(
  paths: { readonly certificatePath: string; readonly keyPath: string },
  { files, clock }: Pick<World, "files" | "clock">,
): Promise<KeyPair> {
  const { certificatePath, keyPath } = paths;
  const [certificate, key] = await Promise.all([readPem(certificatePath, files), readPem(keyPath, files)]);
  const warnings = checkKeyPair({ certificate, certificatePath, key, keyPath }, clock.now());
  return { certificate, key, warnings };
}

async function readPem(path: string, files: World["files"]): Promise<string> {
  try {
    return await files.readText(path, MAX_PEM_BYTES);
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new OtaAgentError("bad-key-pair", `Cannot read '${path}': ${found}, a PEM file is expected`, {
      cause,
    });
  }
}

/** The agent's certificate and key as text, and where they came from. */
export interface KeyPairFiles {
  /** PEM chain, leaf first. */
  readonly certificate: string;
  /** Its file, for the errors. */
  readonly certificatePath: string;
  /** PEM private key. */
  readonly key: string;
  /** Its file, for the errors. */
  readonly keyPath: string;
}

/**
 * Checks at start what every device would otherwise refuse one by one: the key belongs to the leaf, and the leaf
 * is for `ota-agent`. Returns warnings: devices ignore the dates, so these are no reason to stop.
 *
 * Throws {@linkcode OtaAgentError} `bad-key-pair`.
 */
export function checkKeyPair(files: KeyPairFiles, now: number): string[] {
  const leaf = readLeaf(files);
  const key = readKey(files);
  if (!leaf.checkPrivateKey(key)) {
    throw badPair(
      files.keyPath,
      `it is not the key of '${files.certificatePath}', give the two that belong together`,
    );
  }
  if (leaf.checkHost(SERVER_NAME) === undefined) {
    throw badPair(
      files.certificatePath,
      `it is for '${
        oneLine(leaf.subject)
      }', devices accept only a subject or alternative name '${SERVER_NAME}'`,
    );
  }
  const warnings: string[] = [];
  if (leaf.validToDate.getTime() < now) {
    warnings.push(
      `The certificate '${files.certificatePath}' expired on ${
        isoDay(leaf.validToDate)
      }; devices ignore that`,
    );
  }
  if (leaf.validFromDate.getTime() > now) {
    warnings.push(
      `The certificate '${files.certificatePath}' is valid only from ${isoDay(leaf.validFromDate)}`,
    );
  }
  return warnings;
}

function readLeaf(files: KeyPairFiles): X509Certificate {
  if (!files.certificate.includes("-----BEGIN CERTIFICATE-----")) {
    throw badPair(files.certificatePath, "it holds no PEM certificate");
  }
  try {
    return new X509Certificate(files.certificate);
  } catch (cause) {
    throw badPair(files.certificatePath, "its first certificate cannot be parsed", cause);
  }
}

function readKey(files: KeyPairFiles): KeyObject {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type:.*ENCRYPTED/m.test(files.key)) {
    throw badPair(files.keyPath, "it is encrypted, the agent needs it without a pass phrase");
  }
  try {
    return createPrivateKey(files.key);
  } catch (cause) {
    throw badPair(files.keyPath, "it holds no private key in PEM", cause);
  }
}

function badPair(path: string, found: string, cause?: unknown): OtaAgentError {
  return new OtaAgentError("bad-key-pair", `Cannot use '${path}': ${found}`, { cause });
}

function oneLine(subject: string): string {
  return subject.replaceAll("\n", ", ");
}

function isoDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}
