import { OUTCOMES } from "../job/job_outcome.ts";
import type { Ending } from "../job/job_record.ts";
import type { CommandContext } from "./command.ts";

/** Tells how a command failed, in the form its user asked for; returns the exit code. */
export function printFailure(context: CommandContext, ending: Ending, asJson: boolean): number {
  const { exit, remedy } = OUTCOMES[ending.outcome];
  const code = ending.exit ?? exit;
  context.screen.clear();
  if (asJson) {
    context.print(JSON.stringify({ outcome: ending.outcome, code, message: ending.message, remedy }));
  }
  context.screen.line(
    `FAILED ${ending.outcome} (exit ${code}): ${ending.message}.${remedy === "" ? "" : ` ${remedy}.`}`,
  );
  return code;
}
