import type { Faults, Settings } from "../job/option.ts";
import { untilAborted } from "../until_aborted.ts";
import type { CommandContext } from "./command.ts";

/**
 * The password that `--password-stdin` promises, without the line break that `echo` adds; `undefined` when it is not
 * asked for. What cannot be read, or is longer than any password, is added to `faults`. Rejects only with the signal's
 * reason, when the program is stopped while nobody writes one.
 */
export async function readPassword(
  settings: Settings,
  { readInput, signal }: CommandContext,
  faults: Faults,
): Promise<string | undefined> {
  if (!settings.on("password-stdin")) return undefined;
  try {
    return (await untilAborted(readInput(), signal)).replace(/\r?\n$/, "");
  } catch (error) {
    signal.throwIfAborted();
    faults.add(
      `--password-stdin: standard input is no password: ${error instanceof Error ? error.message : error}`,
    );
    // Neither missing nor empty: those would be other faults. With this one it is never sent.
    return "unread";
  }
}
