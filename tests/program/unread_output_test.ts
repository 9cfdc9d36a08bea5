/**
 * Standard output and standard error that are not read: the exit code still tells what the device runs.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { OUTCOMES } from "../../src/job/job_outcome.ts";
import { type Lab, startLab } from "../lab/lab_world.ts";
import { processEnvironment, PROGRAM_ARGS } from "../lab/program.ts";
import { writeScript } from "./external_agent.ts";
import { assertUpdated, SHORT_DEADLINES } from "./lab_job.ts";

function start(lab: Lab, environment: Record<string, string> = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...PROGRAM_ARGS],
    env: {
      ...processEnvironment(),
      NO_COLOR: "1",
      ...lab.environment,
      ...SHORT_DEADLINES,
      ...environment,
    },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

Deno.test("flashjob: readers that have gone do not turn an updated device into a failure", async () => {
  await using lab = await startLab();
  const child = start(lab);
  await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
  assertEquals((await child.status).code, 0);
  assertUpdated(lab);
});

Deno.test("flashjob: a log that nobody reads stops neither the job nor its answer to a signal", async () => {
  await using lab = await startLab();
  // A line is kept to 10,000 characters, and a burst of 100 lines passes: far more than a pipe holds.
  const marker = `${lab.directory}/talked`;
  const OTA_AGENT_PATH = await writeScript(
    lab.directory,
    `line=$(printf '%09000d' 0); for i in $(seq 100); do echo "$line"; done; touch ${marker}; exec sleep 30`,
  );
  const child = start(lab, { OTA_AGENT_PATH, READY_TIMEOUT: "30s" });
  for (let looks = 0; looks < 1000; looks++) {
    if (await Deno.stat(marker).then(() => true, () => false)) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  child.kill("SIGTERM");
  const guard = setTimeout(() => child.kill("SIGKILL"), 30_000);
  const { code, signal } = await child.status;
  clearTimeout(guard);
  await Promise.all([child.stdout.cancel(), child.stderr.cancel()]);
  assertEquals([code, signal], [OUTCOMES.terminated.exit, null]);
});
