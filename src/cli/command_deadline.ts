import type { Deadline } from "../deadline.ts";
import { USUAL_TIMEOUT } from "../job/job_options.ts";
import { Faults, parseDuration, type Settings } from "../job/option.ts";
import type { CommandContext } from "./command.ts";

/** The deadline over all that a command does, the wait for a password on standard input included. */
export function commandDeadline(
  { world, signal }: CommandContext,
  { settings, what }: { readonly settings: Settings; readonly what: string },
): Deadline {
  // One that cannot be read is told with the other faults of the configuration; until then the usual one holds.
  const given = new Faults().collect(settings.find("timeout"), parseDuration);
  return { clock: world.clock, milliseconds: given ?? parseDuration(USUAL_TIMEOUT), signal, what };
}
