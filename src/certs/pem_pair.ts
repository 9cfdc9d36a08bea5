import type { Files } from "../world.ts";
import { CertsError } from "./certs_error.ts";

/** Where a certificate and its key lie. */
export interface PemPaths {
  /** PEM certificate. */
  readonly certificate: string;
  /** PEM private key, PKCS #8. */
  readonly key: string;
}

/** A certificate and its key as text. */
export interface PemPair {
  /** PEM certificate. */
  readonly certificate: string;
  /** PEM private key. */
  readonly key: string;
}

/**
 * Throws {@linkcode CertsError} `exists` when one of the paths is taken, before time is spent on keys; and
 * `invalid-setting` when both are the same.
 */
export async function checkPathsAreFree(paths: PemPaths, files: Files): Promise<void> {
  if (paths.certificate === paths.key) {
    throw new CertsError(
      "invalid-setting",
      `Cannot write '${paths.key}': it is to hold both the certificate and the key, expected two paths`,
    );
  }
  for (const path of [paths.certificate, paths.key]) {
    if (await files.facts(path) !== undefined) throw exists(path);
  }
}

/**
 * Writes both files, readable by nobody else; the key first, so that no certificate ever lies there without it.
 * When the second cannot be written, the first is taken away again. Throws {@linkcode CertsError} `exists` or `io`.
 */
export async function writePair(pair: PemPair, paths: PemPaths, files: Files): Promise<void> {
  await writeNew(paths.key, pair.key, files);
  try {
    await writeNew(paths.certificate, pair.certificate, files);
  } catch (error) {
    await files.remove(paths.key);
    throw error;
  }
}

async function writeNew(path: string, text: string, files: Files): Promise<void> {
  let created = false;
  try {
    using file = await files.createPrivate(path);
    created = true;
    await file.write(new TextEncoder().encode(text));
    await file.sync();
  } catch (cause) {
    if (created) await files.remove(path);
    else if (await files.facts(path) !== undefined) throw exists(path);
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new CertsError("io", `Cannot write '${path}': ${found}`, { cause });
  }
}

function exists(path: string): CertsError {
  return new CertsError(
    "exists",
    `Cannot write '${path}': it exists, expected a new path; nothing is overwritten`,
  );
}
