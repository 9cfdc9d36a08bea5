/**
 * `--dry-run`: everything but the agent and the request to update.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { writeClassicAgent } from "../lab/classic_agent.ts";
import { freePort, startLab } from "../lab/lab_world.ts";
import {
  assertFailed,
  assertNotUpdated,
  assertUndisturbed,
  assertUpdated,
  finalLineOf,
  reportOf,
  runLabJob,
} from "./lab_job.ts";

Deno.test("flashjob --dry-run: checks everything, starts no agent and asks the device nothing but GET", async () => {
  await using lab = await startLab();
  const agent = await writeClassicAgent(lab.directory, { port: lab.agentPort });
  const run = await runLabJob(lab, {
    args: ["--dry-run", "--output", "json"],
    environment: { OTA_AGENT_PATH: agent },
  });
  assertEquals(run.code, 0, run.stderr);
  const report = reportOf(run);
  assertEquals(report.outcome, "dry-run");
  assertEquals(report.message, "Version 1.1.0 is ready to be sent to the device, which runs 1.0.0");
  assertEquals(report.file?.size, lab.firmware.length);
  assertEquals(report.transfer, undefined);
  assertEquals(report.confirmation, undefined);
  assertUndisturbed(lab);
  assertNotUpdated(lab);
  assertEquals(new Set(lab.device.requests.map(({ method }) => method)), new Set(["GET"]));
  // A stand-in that is started leaves its environment beside it.
  assertEquals(await Deno.stat(`${agent}.env`).then(() => true, () => false), false);
});

Deno.test("flashjob --dry-run: the built-in agent's device is attested ahead, so that a refusal shows", async () => {
  await using lab = await startLab({ attestation: "401" });
  const run = await runLabJob(lab, { args: ["--dry-run", "--output", "json"] });
  assertFailed(run, { outcome: "attestation-refused", cause: /401/ });
  assertUndisturbed(lab);
});

Deno.test("flashjob --dry-run: a device that cannot be reached would not be updated", async () => {
  await using lab = await startLab();
  const args = ["--dry-run", "--output", "json"];
  for (
    const [host, cause] of [[`127.0.0.1:${freePort()}`, /refused/], ["thermo.invalid", /not known/]] as const
  ) {
    const run = await runLabJob(lab, {
      args,
      environment: { HOST_ENDPOINT: host, EXTERNAL_IP: "192.0.2.7" },
    });
    assertFailed(run, { outcome: "device-unreachable", cause });
  }
  assertUndisturbed(lab);
});

Deno.test("flashjob --dry-run: a device without an answer on /info is up all the same", async () => {
  await using lab = await startLab({ behaviour: { info: "reset" } });
  const run = await runLabJob(lab, { args: ["--dry-run", "--output", "json"] });
  assertEquals(reportOf(run).outcome, "dry-run", run.stderr);
});

Deno.test("flashjob --dry-run: a downgrade is refused as in earnest, and allowed by its flag", async () => {
  await using lab = await startLab({ from: "2.0.0" });
  const args = ["--dry-run", "--output", "json"];
  assertFailed(await runLabJob(lab, { args }), { outcome: "downgrade-refused", cause: /older/ });
  const allowed = await runLabJob(lab, { args: [...args, "--allow-downgrade"] });
  assertEquals(reportOf(allowed).outcome, "dry-run");
  assertUndisturbed(lab);
  const earnest = await runLabJob(lab, { args: ["--allow-downgrade"] });
  assertEquals(earnest.code, 0, earnest.stderr);
  assertStringIncludes(finalLineOf(earnest), "from 2.0.0 to 1.1.0");
  assertUpdated(lab);
});

Deno.test("flashjob DRY_RUN=true: the variable does as the flag does, in one line for people", async () => {
  await using lab = await startLab();
  const run = await runLabJob(lab, { environment: { DRY_RUN: "true" } });
  assertEquals(run.code, 0);
  assertEquals(run.stdout.trimEnd().split("\n").length, 1);
  assert(run.stdout.startsWith("OK dry-run: Version 1.1.0 is ready to be sent"), run.stdout);
  assertUndisturbed(lab);
});
