import { ImageError } from "./image/image_error.ts";
import { maxKeyFileLength, readSecureBootKey, type SecureBootKey } from "./image/secure_boot_key.ts";
import { ConfigError } from "./job/config_error.ts";
import { untilAborted } from "./until_aborted.ts";
import type { World } from "./world.ts";

/**
 * The Secure Boot keys in the files at `paths`. Throws {@linkcode ConfigError} with every file that cannot be read or
 * holds no key.
 */
export async function readBootKeys(
  paths: readonly string[],
  world: World,
  signal: AbortSignal,
): Promise<SecureBootKey[]> {
  const read = await Promise.all(paths.map((path) => readBootKey(path, world, signal)));
  const faults = read.filter((found) => typeof found === "string");
  if (faults.length > 0) throw new ConfigError(faults);
  return read.filter((found) => typeof found !== "string");
}

/** The key, or in words why there is none. */
async function readBootKey(path: string, world: World, signal: AbortSignal): Promise<SecureBootKey | string> {
  try {
    return readSecureBootKey(await untilAborted(readKeyFile(path, world), signal), path);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ImageError) return error.message;
    return `Cannot read the Secure Boot key '${path}': ${error instanceof Error ? error.message : error}`;
  }
}

/** One byte more than a key file may have, so that a longer one is seen. A pipe would be waited for without an end. */
async function readKeyFile(path: string, { files }: World): Promise<Uint8Array> {
  const bytes = new Uint8Array(maxKeyFileLength + 1);
  const facts = await files.facts(path);
  if (facts?.isFile !== true) throw new Error(facts === undefined ? "nothing is there" : "it is no file");
  using file = await files.open(path);
  return bytes.subarray(0, await file.readAt(0, bytes));
}
