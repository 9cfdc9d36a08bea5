import type { Outcome } from "../../src/job/job_outcome.ts";
import { type Lab, type LabOptions, startLab } from "../lab/lab_world.ts";
import { assertFailed, assertNotUpdated, assertUndisturbed, assertUpdated, runLabJob } from "./lab_job.ts";

/** One row of the tables of failures. */
export interface FailureCase {
  /** What is wrong outside. */
  readonly name: string;
  /** How the lab differs from one in which all goes well. */
  readonly lab?: LabOptions;
  /** What else is done to the lab; returns variables that differ from the operator's. */
  readonly arrange?: (
    lab: Lab,
    resources: AsyncDisposableStack,
  ) => Record<string, string> | Promise<Record<string, string>>;
  /** Flags beside `--output json`. */
  readonly args?: readonly string[];
  /** Standard input. */
  readonly input?: string;
  /** How the job must end. */
  readonly outcome: Outcome;
  /** The exit code, where a finding has one of its own. */
  readonly code?: number;
  /** What is to be done, where it is not what the outcome says; empty where the sentence says it. */
  readonly remedy?: string;
  /** What the sentence must name. */
  readonly cause: RegExp;
  /**
   * The device afterwards: never asked, asked and still with its old image, or with the new image although nothing
   * proved it.
   */
  readonly device: "undisturbed" | "old" | "new";
}

/** Registers a test for each row. */
export function testFailures(table: string, cases: readonly FailureCase[]): void {
  for (const row of cases) {
    Deno.test(`${table}: ${row.name} is ${row.outcome}`, async () => {
      await using lab = await startLab(row.lab);
      await using resources = new AsyncDisposableStack();
      const environment = await row.arrange?.(lab, resources) ?? {};
      const run = await runLabJob(lab, {
        args: ["--output", "json", ...row.args ?? []],
        environment,
        ...(row.input === undefined ? {} : { input: row.input }),
      });
      assertFailed(run, row);
      if (row.device === "undisturbed") assertUndisturbed(lab);
      if (row.device === "new") assertUpdated(lab);
      else assertNotUpdated(lab);
    });
  }
}
