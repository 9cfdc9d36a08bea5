import { OUTCOMES } from "../job/job_outcome.ts";
import type { Ending } from "../job/job_record.ts";
import { finalLine } from "../report/job_report.ts";
import { visibleJson } from "../report/visible_text.ts";
import type { Speech } from "./command.ts";

/** Tells how a command failed, in the form its user asked for; returns the exit code. */
export function printFailure({ screen, print, complain, asJson }: Speech, ending: Ending): number {
  const { exit, remedy: usual } = OUTCOMES[ending.outcome];
  const { outcome, message, remedy = usual } = ending;
  const code = ending.exit ?? exit;
  screen.clear();
  if (asJson) print(visibleJson({ outcome, code, message, remedy }));
  complain(finalLine({ outcome, code, message, ...(remedy === "" ? {} : { remedy }) }));
  return code;
}
