import { flashJob, type FlashOptions } from "../../src/flash_job.ts";
import { readJobConfig } from "../../src/job/job_config.ts";
import { FLASH_OPTIONS } from "../../src/job/job_options.ts";
import { type Flags, Settings } from "../../src/job/option.ts";
import type { JobReport } from "../../src/report/job_report.ts";
import type { Lab } from "./lab_world.ts";
import { OutcomeWorld, type OutcomeWorldOptions } from "./outcome_world.ts";
import { processEnvironment, PROGRAM_ARGS } from "./program.ts";

/** Deadlines for a device that lives forty times as fast as a real one. */
export const SHORT_DEADLINES: Readonly<Record<string, string>> = {
  DIAL_IN_TIMEOUT: "4s",
  REDIAL_TIMEOUT: "2s",
  CONFIRM_TIMEOUT: "6s",
  TRANSFER_IDLE_TIMEOUT: "2s",
  ATTESTATION_TIMEOUT: "3s",
  DEVICE_TIMEOUT: "2s",
};

/** How one job differs from the operator's. */
export interface OutcomeRunOptions extends OutcomeWorldOptions {
  /** Variables beside the lab's and the short deadlines. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Flags as parsed. */
  readonly flags?: Flags;
  /** Stops the job. */
  readonly signal?: AbortSignal;
  /** Given the outside before the job begins. */
  readonly onOutside?: (outside: OutcomeWorld) => void;
  /** Told of the progress. */
  readonly onProgress?: FlashOptions["onProgress"];
}

/** How a job ended and what it left behind. */
export interface OutcomeRun {
  /** What the job says. */
  readonly report: JobReport;
  /** What was open when it ended; it should be nothing. */
  readonly leftovers: readonly string[];
  /** The world it ran in. */
  readonly outside: OutcomeWorld;
  /** Report and log for people. */
  readonly story: string;
}

/** Runs the story of a job in this process against a lab; the built-in agent is a child as it is in the field. */
export async function runOutcomeJob(lab: Lab, options: OutcomeRunOptions = {}): Promise<OutcomeRun> {
  const environment = {
    ...processEnvironment(),
    ...lab.environment,
    ...SHORT_DEADLINES,
    ...options.environment,
  };
  const config = readJobConfig(new Settings(FLASH_OPTIONS, options.flags ?? {}, environment), undefined);
  const outside = new OutcomeWorld(options);
  options.onOutside?.(outside);
  const report = await flashJob(config, outside.world, {
    signal: options.signal ?? new AbortController().signal,
    onProgress: options.onProgress ?? (() => undefined),
    self: { path: Deno.execPath(), args: PROGRAM_ARGS },
  });
  const leftovers = await outside.leftovers();
  const story = `${JSON.stringify(report, null, 1)}\n${outside.story}\ndevice: ${lab.device.log.join("; ")}`;
  return { report, leftovers, outside, story };
}

/** Whether the device runs the lab's image, byte for byte. */
export function runsImage(lab: Lab): boolean {
  const { image } = lab.device.running;
  return image !== undefined && image.length === lab.firmware.length &&
    image.every((byte, index) => byte === lab.firmware[index]);
}

/** How often the device was asked to update. */
export function updateRequests(lab: Lab): number {
  return lab.device.events.filter(({ name, detail }) =>
    name === "request" && detail.startsWith("POST /update")
  ).length;
}
