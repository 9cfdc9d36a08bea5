/**
 * One job of the real program against a lab, with what must hold after every job: nothing is left behind, and the
 * exit code tells what the device runs.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type { JobReport } from "../../src/report/job_report.ts";
import { type Outcome, OUTCOMES } from "../../src/job/job_outcome.ts";
import type { Lab } from "../lab/lab_world.ts";
import { type ProgramOptions, type ProgramRun, runProgram } from "../lab/program.ts";

/** Timings of a device slow enough that its restart is seen, however busy the machine is. */
export const SEEN = 1 / 8;

/** Deadlines for devices that live forty times as fast as real ones. */
export const SHORT_DEADLINES: Readonly<Record<string, string>> = {
  DIAL_IN_TIMEOUT: "4s",
  REDIAL_TIMEOUT: "2s",
  CONFIRM_TIMEOUT: "6s",
  TRANSFER_IDLE_TIMEOUT: "2s",
  ATTESTATION_TIMEOUT: "3s",
};

/** How one job differs from the operator's. */
export interface LabJobOptions extends ProgramOptions {
  /** None by default, as the operator starts it. */
  readonly args?: readonly string[];
}

/**
 * Runs the program with the lab's environment and a temporary directory of its own, and asserts that no process of
 * the run, no temporary file and no listener on the agent's port outlives it.
 */
export async function runLabJob(lab: Lab, options: LabJobOptions = {}): Promise<ProgramRun> {
  const temporary = await Deno.makeTempDir({ prefix: "lab-job-" });
  try {
    const run = await runProgram(options.args ?? [], {
      ...options,
      environment: { ...lab.environment, ...SHORT_DEADLINES, TMPDIR: temporary, ...options.environment },
    });
    await assertNothingLeft(temporary, lab.agentPort);
    return run;
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

/**
 * Asserts that a run is over: the directory it had for temporary files is empty, no process mentions that directory
 * in its environment (the program has it as TMPDIR, an agent in NEW_FIRMWARE_PATH), and the agent's port is free.
 */
export async function assertNothingLeft(temporary: string, agentPort: number): Promise<void> {
  assertEquals(await processesOf(temporary), [], "processes left behind");
  const files = await Array.fromAsync(Deno.readDir(temporary));
  assertEquals(files.map((entry) => entry.name), [], "temporary files left behind");
  using listener = Deno.listen({ hostname: "0.0.0.0", port: agentPort });
  assertEquals(listener.addr.port, agentPort);
}

/** Process ids whose environment mentions `directory`; a process that ends meanwhile is none. */
async function processesOf(directory: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await Deno.readTextFile(`/proc/${name}/environ`).catch(() => "");
    if (environment.includes(directory)) found.push(name);
  }
  return found;
}

/** Asserts that the device runs the lab's image, byte for byte. */
export function assertUpdated(lab: Lab): void {
  assert(lab.device.running.image !== undefined, "the device runs its old image");
  assert(areEqual(lab.device.running.image, lab.firmware), "the device runs other bytes than the image's");
}

/** Asserts that the device runs what it left the factory with. */
export function assertNotUpdated(lab: Lab): void {
  assertEquals(lab.device.running.image, undefined, "the device was updated");
}

/** Asserts that the device was never asked to update. */
export function assertUndisturbed(lab: Lab): void {
  assertEquals(lab.device.requests.filter(({ path }) => path === "/update"), []);
  assertEquals(lab.device.attempts, []);
}

/** The one JSON object on standard output, which must agree with the exit code and the table of outcomes. */
export function reportOf(run: ProgramRun): JobReport {
  const lines = run.stdout.split("\n");
  assertEquals(lines.length, 2, `not exactly one line on stdout: ${run.stdout}\n${run.stderr}`);
  const report: JobReport = JSON.parse(lines[0] ?? "");
  assertEquals(report.code, run.code);
  assert(report.outcome in OUTCOMES, report.outcome);
  return report;
}

/** The last line for people: on stdout, or with `--output json` on stderr. */
export function finalLineOf(run: ProgramRun): string {
  const text = run.stdout.startsWith("{") ? run.stderr : run.stdout;
  return text.trimEnd().split("\n").at(-1) ?? "";
}

/**
 * Asserts that a run with `--output json` failed as the table says, and tells people so in one last line with cause
 * and remedy. `code` is given where a finding has an exit code of its own, `remedy` where it has one of its own; an
 * empty one stands in the message.
 */
export function assertFailed(
  run: ProgramRun,
  wanted: {
    readonly outcome: Outcome;
    readonly cause: RegExp;
    readonly code?: number;
    readonly remedy?: string;
  },
): JobReport {
  const report = reportOf(run);
  const row = OUTCOMES[wanted.outcome];
  const { remedy = row.remedy } = wanted;
  const story = `${JSON.stringify(report, null, 1)}\n${run.stderr}`;
  assertEquals(report.outcome, wanted.outcome, story);
  assertEquals(run.code, wanted.code ?? row.exit, story);
  assertNotEquals(run.code, 0, story);
  assert(wanted.cause.test(report.message), story);
  assertEquals(report.message.includes("\n"), false, story);
  assertEquals(report.remedy, remedy === "" ? undefined : remedy, story);
  const last = finalLineOf(run);
  assert(last.includes(`FAILED ${wanted.outcome} (exit ${run.code}): `), story);
  assert(last.includes(report.message.replace(/[.\s]+$/, "")), story);
  assert(last.endsWith(remedy === "" ? "." : `. ${remedy}.`), story);
  return report;
}

function areEqual(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
