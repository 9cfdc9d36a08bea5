import { ConfigError } from "../job/config_error.ts";
import type { Settings } from "../job/option.ts";
import { untilAborted } from "../until_aborted.ts";
import type { CommandContext } from "./command.ts";

/**
 * The password that `--password-stdin` promises, without the line break that `echo` adds; `undefined` when it is not
 * asked for. Rejects with the signal's reason when the program is stopped while nobody writes one, with
 * {@linkcode ConfigError} when it is longer than any.
 */
export async function readPassword(
  settings: Settings,
  { readInput, signal }: CommandContext,
): Promise<string | undefined> {
  if (!settings.on("password-stdin")) return undefined;
  try {
    return (await untilAborted(readInput(), signal)).replace(/\r?\n$/, "");
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError([`--password-stdin: standard input is no password: ${error.message}`]);
  }
}
