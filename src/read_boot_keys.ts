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
  const faults: string[] = [];
  const keys = await Promise.all(paths.map(async (path) => {
    try {
      return [readSecureBootKey(await readKeyFile(path, world, signal), path)];
    } catch (error) {
      signal.throwIfAborted();
      faults.push(
        error instanceof ImageError
          ? error.message
          : `Cannot read the Secure Boot key '${path}': ${error instanceof Error ? error.message : error}`,
      );
      return [];
    }
  }));
  if (faults.length > 0) throw new ConfigError(faults);
  return keys.flat();
}

/** One byte more than a key file may have, so that a longer one is seen. A pipe would be waited for without an end. */
async function readKeyFile(path: string, { files }: World, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = new Uint8Array(maxKeyFileLength + 1);
  const facts = await untilAborted(files.facts(path), signal);
  if (facts?.isFile !== true) throw new Error(facts === undefined ? "nothing is there" : "it is no file");
  using file = await untilAborted(files.open(path), signal);
  return bytes.subarray(0, await untilAborted(file.readAt(0, bytes), signal));
}
