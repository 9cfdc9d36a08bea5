import { OUTCOMES } from "../job/job_outcome.ts";
import type { Ending } from "../job/job_record.ts";
import { finalLine } from "../report/job_report.ts";
import { visibleJson } from "../report/visible_text.ts";
import type { CommandContext } from "./command.ts";

/** Tells how a command failed, in the form its user asked for; returns the exit code. */
export function printFailure(context: CommandContext, ending: Ending, asJson: boolean): number {
  const { exit, remedy } = OUTCOMES[ending.outcome];
  const { outcome, message } = ending;
  const code = ending.exit ?? exit;
  context.screen.clear();
  if (asJson) context.print(visibleJson({ outcome, code, message, remedy }));
  context.screen.line(finalLine({ outcome, code, message, ...(remedy === "" ? {} : { remedy }) }));
  return code;
}
