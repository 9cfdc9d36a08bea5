/**
 * A second job for a device that may still be at the first: two OTA tasks at once cannot end well.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { startLab } from "../lab/lab_world.ts";
import { writeProgram } from "./external_agent.ts";
import { assertFailed, assertUpdated, reportOf, runLabJob, SEEN } from "./lab_job.ts";

const JSON_OUTPUT = ["--output", "json"];

Deno.test("flashjob: a device that may still dial for an earlier job is not asked again", async () => {
  await using lab = await startLab({ behaviour: { dials: "never" } });
  const environment = { XDG_RUNTIME_DIR: lab.directory };
  const args = [...JSON_OUTPUT, "--dial-in-timeout", "1s"];
  const first = await runLabJob(lab, { args, environment });
  assertFailed(first, { outcome: "device-never-dialled", cause: /told to dial/ });
  const second = await runLabJob(lab, { args, environment });
  assertFailed(second, { outcome: "update-in-progress", cause: /asked \d+ s ago and may still be at it/ });
  assertEquals(lab.device.requests.filter(({ path }) => path === "/update").length, 1);

  // A pod has no such directory, and knows nothing of other pods.
  const pod = await runLabJob(lab, { args });
  assertFailed(pod, { outcome: "device-never-dialled", cause: /told to dial/ });
});

Deno.test("flashjob: a device that only answers, with no proof that it got the image, may still be dialling", async () => {
  await using lab = await startLab({ behaviour: { dials: "never" } });
  const program = `Deno.listen({ hostname: "0.0.0.0", port: ${lab.agentPort} });
await new Promise((resolve) => setTimeout(resolve, 1000));
console.log("Verified device\\nFirmware sent to IoT");
Deno.exit(0);
`;
  const OTA_AGENT_PATH = await writeProgram(lab.directory, program);
  const environment = { XDG_RUNTIME_DIR: lab.directory, OTA_AGENT_PATH };
  const first = await runLabJob(lab, { args: [...JSON_OUTPUT, "--confirm-timeout", "2s"], environment });
  assertFailed(first, { outcome: "not-confirmed", cause: /did not restart, and nothing proves/ });
  const second = await runLabJob(lab, { args: JSON_OUTPUT, environment });
  assertFailed(second, { outcome: "update-in-progress", cause: /may still be at it/ });
});

Deno.test("flashjob: a device that refused, and one that was updated, may be asked again at once", async () => {
  await using refusing = await startLab({ behaviour: { update: 500 } });
  for (let job = 0; job < 2; job++) {
    const environment = { XDG_RUNTIME_DIR: refusing.directory };
    const run = await runLabJob(refusing, { args: JSON_OUTPUT, environment });
    assertFailed(run, { outcome: "update-refused", cause: /500/ });
  }
  await using lab = await startLab({ timings: SEEN });
  for (const verdict of ["confirmed-new", "confirmed-same"]) {
    const environment = { XDG_RUNTIME_DIR: lab.directory };
    const run = await runLabJob(lab, { args: JSON_OUTPUT, environment });
    assertEquals(reportOf(run).confirmation?.verdict, verdict, run.stdout);
    assertUpdated(lab);
  }
});
