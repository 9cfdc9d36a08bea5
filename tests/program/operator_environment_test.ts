/**
 * The job as the operator starts it: eight variables, no arguments.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { environmentOf, writeClassicAgent } from "../lab/classic_agent.ts";
import { type Lab, startLab } from "../lab/lab_world.ts";
import { assertUpdated, finalLineOf, reportOf, runLabJob } from "./lab_job.ts";
import { writeOwnAgent } from "./external_agent.ts";

/** What the operator and Kubernetes set (ota-protocol.md, "Environment of the pod"). */
const OPERATOR_VARIABLES = [
  "FIRMWARE",
  "DEVICE",
  "HOST_ENDPOINT",
  "EXTERNAL_IP",
  "DICE_AUTH_SERVICE_SERVICE_HOST",
  "VERSION",
  "UUID",
  "APPLICATION_TYPE",
];

Deno.test("flashjob: the lab sets every variable that the operator sets", async () => {
  await using lab = await startLab();
  assertEquals(OPERATOR_VARIABLES.filter((name) => !(name in lab.environment)), []);
  assertEquals(lab.environment["DEVICE"], "esp32-s3");
});

Deno.test("flashjob: without arguments and with the operator's variables it updates through the built-in agent", async () => {
  await using lab = await startLab();
  const run = await runLabJob(lab);
  assertDone(lab, run);
  // The operator's pods have no program at the classic path here.
  assertStringIncludes(run.stderr, "agent: listening on port");
});

Deno.test("flashjob: an empty EXTERNAL_IP is none: the address that leads to the device is announced", async () => {
  await using lab = await startLab();
  const run = await runLabJob(lab, { environment: { EXTERNAL_IP: "" } });
  assertDone(lab, run);
  assertStringIncludes(run.stderr, "address that routes to it  address=127.0.0.1");
});

Deno.test("flashjob: OTA_AGENT_PATH=builtin updates and reports in JSON what happened", async () => {
  await using lab = await startLab();
  const run = await runLabJob(lab, {
    environment: { OTA_AGENT_PATH: "builtin", FLASHJOB_OUTPUT: "json" },
  });
  assertUpdated(lab);
  const report = reportOf(run);
  assertEquals(report.outcome, "updated");
  assertEquals(report.code, 0);
  assertEquals(report.remedy, undefined);
  assertEquals(report.device, {
    address: lab.device.endpoint,
    chip: "esp32s3",
    before: "1.0.0",
    after: "1.1.0",
  });
  assertEquals(report.file?.size, lab.firmware.length);
  assertEquals(report.file?.sha256, await sha256(lab.firmware));
  assertEquals(report.transfer?.agent, "builtin");
  assertEquals(report.transfer?.receipt, true);
  assertEquals(report.transfer?.bytes, lab.firmware.length);
  assertEquals(report.confirmation, { verdict: "confirmed-new", restarted: true });
  assertEquals(report.identity, {
    uuid: lab.environment["UUID"] ?? "",
    applicationType: lab.environment["APPLICATION_TYPE"] ?? "",
  });
  assertEquals(report.reference, lab.reference);
  assertEquals(report.image?.platform, "custom/esp32s3");
  for (const phase of ["pull", "look", "identify", "ready", "deliver", "confirm", "total"]) {
    assert(phase in report.durations, phase);
  }
});

Deno.test("flashjob: a Service named 'agent' beside the pod does not end its job", async () => {
  await using lab = await startLab();
  const run = await runLabJob(lab, {
    environment: { AGENT_PORT: "tcp://10.96.0.7:80", DRY_RUN: "true", FLASHJOB_OUTPUT: "json" },
  });
  const report = reportOf(run);
  assertEquals(report.outcome, "dry-run", run.stderr);
  assert(
    report.warnings.some((warning) => warning.startsWith("AGENT_PORT=tcp://10.96.0.7:80 counts as not")),
  );
});

Deno.test("flashjob: an external program of the C agent's kind updates, with exactly its variables", async () => {
  await using lab = await startLab();
  const path = await writeClassicAgent(lab.directory, { port: lab.agentPort, timeScale: 1 / 40 });
  const run = await runLabJob(lab, { environment: { OTA_AGENT_PATH: path } });
  assertDone(lab, run);
  assertStringIncludes(run.stderr, "Verified device");
  const { NEW_FIRMWARE_PATH, ...others } = await environmentOf(path);
  assert(NEW_FIRMWARE_PATH?.includes("/flashjob-"), NEW_FIRMWARE_PATH);
  assertEquals(others, {
    DICE_AUTH_URL: lab.attestation.url,
    SERVER_CRT_PATH: `${lab.directory}/server.crt`,
    SERVER_KEY_PATH: `${lab.directory}/server.key`,
    ...passedOn("PATH", "TZ", "LANG"),
  });
});

Deno.test("flashjob: our own agent behind a script updates, although its words are not those of the C agent", async () => {
  await using lab = await startLab();
  const path = await writeOwnAgent(lab.directory, lab.agentPort);
  const run = await runLabJob(lab, { environment: { OTA_AGENT_PATH: path } });
  assertDone(lab, run);
});

Deno.test("flashjob: an external agent is heard to the last byte of a slow device", async () => {
  await using lab = await startLab({ behaviour: { bytesPerSecond: 10_000, receiveWindow: 5760 } });
  const path = await writeClassicAgent(lab.directory, { port: lab.agentPort, timeScale: 1 / 4 });
  const run = await runLabJob(lab, { environment: { OTA_AGENT_PATH: path } });
  assertDone(lab, run);
});

function assertDone(lab: Lab, run: Awaited<ReturnType<typeof runLabJob>>): void {
  assertEquals(run.code, 0, run.stdout + run.stderr);
  assertUpdated(lab);
  assertEquals(lab.device.running.version, "1.1.0");
  assertEquals(lab.device.requests.filter(({ path }) => path === "/update").map(({ body }) => body), [
    "ip: 127.0.0.1",
  ]);
  assertEquals(run.stdout.trimEnd().split("\n").length, 1);
  assertStringIncludes(
    finalLineOf(run),
    `OK updated: Updated esp32s3 at ${lab.device.endpoint} from 1.0.0 to 1.1.0.`,
  );
}

function passedOn(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => {
    const value = name === "PATH" ? Deno.env.get(name) : undefined;
    return value === undefined ? [] : [[name, value]];
  }));
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes))).toHex();
}
