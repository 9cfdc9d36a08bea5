/**
 * The story of a job: each of its endings, what runs side by side, and how the first fault stops the rest.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Outcome, OUTCOMES } from "../src/job/job_outcome.ts";
import { Interruption } from "../src/cli/command.ts";
import { untilAborted } from "../src/until_aborted.ts";
import { buildFirmwareImage } from "./builders/oci_image.ts";
import { buildEspApp } from "./builders/esp_image.ts";
import { firstLayerOf, flipByte, withContent } from "./builders/oci_spoil.ts";
import { freePort, type Lab, type LabOptions, startLab } from "./lab/lab_world.ts";
import { spawnOwnAgent } from "./lab/outcome_agent.ts";
import { type OutcomeRunOptions, runOutcomeJob, runsImage, updateRequests } from "./lab/outcome_run.ts";
import { blobRequests, manifestRequests, redirect, stall } from "./lab/registry_fault.ts";

/** One ending, in the simplest world that leads to it. */
interface Ending {
  readonly lab?: LabOptions;
  /** Changes the lab; returns variables and more for the job. */
  readonly arrange?: (lab: Lab) => OutcomeRunOptions | Promise<OutcomeRunOptions>;
  /** An exit code of its own. */
  readonly code?: number;
  /** How often the device is asked to update. */
  readonly asked: 0 | 1;
  /** Whether it runs the new image then; not unless said. */
  readonly isUpdated?: true;
}

const endings: Readonly<Record<Outcome, Ending>> = {
  "updated": { asked: 1, isUpdated: true },
  "updated-unconfirmed": {
    lab: { behaviour: { info: "absent" }, timings: 2 / 5 },
    asked: 1,
    isUpdated: true,
  },
  "sent": { arrange: () => environment({ CONFIRM: "off" }), asked: 1 },
  "already-current": {
    lab: { behaviour: { alreadyUpdated: true } },
    arrange: () => environment({ SKIP_IF_CURRENT: "true" }),
    asked: 0,
    isUpdated: true,
  },
  "dry-run": { arrange: () => environment({ DRY_RUN: "true" }), asked: 0 },
  "internal": {
    arrange: () => ({
      instead: {
        openHttp: () => {
          throw new TypeError("a fault of our own");
        },
      },
    }),
    asked: 0,
  },
  "configuration": {
    arrange: () => ({
      ...environment({ EXTERNAL_IP: "" }),
      instead: { localAddressTowards: () => Promise.resolve("::1") },
    }),
    asked: 0,
  },
  "registry-unreachable": {
    arrange: () => environment({ FIRMWARE: `127.0.0.1:${freePort()}/team/thermo:1.1.0` }),
    asked: 0,
  },
  "registry-auth": { arrange: () => environment({ DOCKER_CONFIG: "/nonexistent" }), asked: 0 },
  "not-found": { arrange: (lab) => environment({ FIRMWARE: `${lab.reference}-absent` }), asked: 0 },
  "content-mismatch": {
    arrange(lab) {
      const { digest } = firstLayerOf(firmwareImage, "esp32s3");
      const spoilt = withContent(firmwareImage, digest, flipByte(-1));
      return environment({ FIRMWARE: lab.registry.put(spoilt, "team/spoilt", "1.1.0") });
    },
    asked: 0,
  },
  "wrong-target": { arrange: () => environment({ DEVICE: "esp32c3" }), asked: 0 },
  "unusable-image": { arrange: () => environment({ FIRMWARE_PATH: "/absent.bin" }), asked: 0 },
  "signature-refused": { arrange: () => environment({ VERIFY_SIGNATURE: "require" }), asked: 0 },
  "downgrade-refused": { lab: { from: "2.0.0" }, asked: 0 },
  "registry-misdirects": {
    arrange(lab) {
      lab.registry.fault({ match: blobRequests(), action: redirect("http://169.254.169.254/token") });
      return {};
    },
    asked: 0,
  },
  "device-unreachable": {
    arrange: () => environment({ HOST_ENDPOINT: `127.0.0.1:${freePort()}` }),
    asked: 0,
  },
  "update-refused": { lab: { behaviour: { update: 500 } }, asked: 1 },
  "device-never-dialled": {
    lab: { behaviour: { dials: "never" } },
    arrange: () => environment({ DIAL_IN_TIMEOUT: "500ms" }),
    asked: 1,
  },
  "tls-refused": {
    lab: { behaviour: { wrongPin: true } },
    arrange: () => environment({ DIAL_IN_TIMEOUT: "500ms" }),
    asked: 1,
  },
  "attestation-refused": { lab: { attestation: "401" }, asked: 0 },
  "attestation-unavailable": {
    lab: { attestation: "hang" },
    arrange: () => environment({ ATTESTATION_TIMEOUT: "500ms" }),
    asked: 0,
  },
  "transfer-broken": { lab: { behaviour: { transfer: { fraction: 0.5, then: "reset" } } }, asked: 1 },
  "not-confirmed": {
    lab: { behaviour: { info: "absent" }, timings: 2 / 5 },
    arrange: () => environment({ CONFIRM: "require" }),
    asked: 1,
    isUpdated: true,
  },
  "old-version": { lab: { behaviour: { afterRestart: "rollback" }, timings: 2 / 5 }, asked: 1 },
  "agent-failed": { arrange: () => environment({ OTA_AGENT_PATH: "/bin/true" }), asked: 0 },
  "image-rejected": {
    lab: { behaviour: { rejectsImage: true } },
    arrange: () => environment({ CONFIRM_TIMEOUT: "2s" }),
    asked: 1,
  },
  "device-lost": {
    lab: { behaviour: { afterRestart: "gone" } },
    arrange: () => environment({ CONFIRM_TIMEOUT: "2s" }),
    asked: 1,
  },
  "wrong-device": {
    lab: { behaviour: { afterRestart: { device: "esp32c3" } } },
    asked: 1,
    isUpdated: true,
  },
  "update-in-progress": {
    lab: { behaviour: { dials: "never" } },
    async arrange(lab) {
      const again = environment({ XDG_RUNTIME_DIR: lab.directory, DIAL_IN_TIMEOUT: "500ms" });
      await runOutcomeJob(lab, { spawn: spawnOwnAgent, ...again });
      return again;
    },
    asked: 1,
  },
  "local-io": {
    arrange: () => ({
      beforeTempDirectory: () => Promise.reject(new Deno.errors.PermissionDenied("no space for us")),
    }),
    asked: 0,
  },
  "image-refused": {
    arrange: (lab) =>
      environment({
        FIRMWARE: lab.registry.put(
          buildFirmwareImage({
            format: "oci",
            platforms: [{
              architecture: "esp32s3",
              firmware: buildEspApp({ chip: "esp32c3", size: 60_000 }),
            }],
          }),
          "team/other-chip",
          "1.1.0",
        ),
      }),
    code: 57,
    asked: 0,
  },
  "deadline": {
    lab: { behaviour: { dials: "never" } },
    arrange: () => environment({ FLASHJOB_TIMEOUT: "1s" }),
    asked: 1,
  },
  "interrupted": { arrange: () => ({ signal: AbortSignal.abort(new Interruption("SIGINT")) }), asked: 0 },
  "terminated": { arrange: () => ({ signal: AbortSignal.abort(new Interruption("SIGTERM")) }), asked: 0 },
};

const firmwareImage = buildFirmwareImage({
  format: "oci",
  platforms: [{ architecture: "esp32s3", firmware: buildEspApp({ chip: "esp32s3", size: 60_000 }) }],
});

function environment(variables: Readonly<Record<string, string>>): OutcomeRunOptions {
  return { environment: { OTA_AGENT_PATH: "builtin", ...variables } };
}

for (const [outcome, ending] of Object.entries(endings) as [Outcome, Ending][]) {
  Deno.test(`flashJob: ends as ${outcome}`, async () => {
    await using lab = await startLab(ending.lab);
    const options = await ending.arrange?.(lab) ?? environment({});
    const run = await runOutcomeJob(lab, { spawn: spawnOwnAgent, ...environment({}), ...options });
    assertEquals(run.report.outcome, outcome, run.story);
    assertEquals(run.report.code, ending.code ?? OUTCOMES[outcome].exit);
    assertEquals(run.leftovers, [], run.story);
    assertEquals(updateRequests(lab), ending.asked, run.story);
    assertEquals(runsImage(lab), ending.isUpdated ?? false, run.story);
  });
}

Deno.test("flashJob: the log says what is waited for while nothing happens", async () => {
  await using lab = await startLab({ behaviour: { onboard: "absent" } });
  const run = await runOutcomeJob(lab, { spawn: spawnOwnAgent, ...environment({}) });
  assertEquals(run.report.outcome, "updated", run.story);
  assertStringIncludes(run.story, "No certificate on /onboard: the device is attested when it dials");
  assertStringIncludes(run.story, "Watching whether it stays with that version");
  await using shown = await startLab();
  const usual = await runOutcomeJob(shown, { spawn: spawnOwnAgent, ...environment({ DRY_RUN: "1" }) });
  assertStringIncludes(usual.story, "Asking whether the device is genuine");
});

Deno.test("flashJob: a job that is stopped says what the device may still do, once it was asked", async () => {
  const stop = new AbortController();
  await using lab = await startLab({
    behaviour: { dials: "never" },
    onDeviceEvent({ name, detail }) {
      if (name === "request" && detail.startsWith("POST")) stop.abort(new Interruption("SIGTERM"));
    },
  });
  const run = await runOutcomeJob(lab, { spawn: spawnOwnAgent, ...environment({}), signal: stop.signal });
  assertEquals([run.report.outcome, run.report.code], ["terminated", 143], run.story);
  assertStringIncludes(run.report.remedy ?? "", "leave it alone for 80 seconds");
});

Deno.test("flashJob: all that this machine lacks is told at once, before anybody is asked", async () => {
  await using lab = await startLab();
  const absent = {
    SERVER_CRT_PATH: "/absent/crt",
    SERVER_KEY_PATH: "/absent/key",
    SECURE_BOOT_KEY: "/absent/boot",
  };
  const run = await runOutcomeJob(lab, { spawn: spawnOwnAgent, ...environment(absent) });
  assertEquals(run.report.outcome, "configuration", run.story);
  for (const path of Object.values(absent)) assertStringIncludes(run.report.message, `'${path}'`);
  assertEquals([lab.device.requests.length, lab.registry.requests.length], [0, 0]);
});

/** Which step of the story a request belongs to. */
function stepOf(url: URL): "pull" | "look" | "identify" | "attest" | "other" {
  if (url.pathname.startsWith("/v2/")) return "pull";
  if (url.pathname === "/info") return "look";
  if (url.pathname === "/onboard") return "identify";
  return url.pathname === "/" ? "attest" : "other";
}

Deno.test("flashJob: pull, look, identification and attestation ahead run side by side", async () => {
  await using lab = await startLab();
  // None of the four is answered before all have been asked: run one after the other, they would wait for ever.
  const asked = new Set<string>();
  const allAsked = Promise.withResolvers<void>();
  const run = await runOutcomeJob(lab, {
    spawn: spawnOwnAgent,
    ...environment({}),
    async beforeRequest(url, signal) {
      const step = stepOf(url);
      asked.add(step);
      if (asked.isSupersetOf(new Set(["pull", "look", "attest"]))) allAsked.resolve();
      // The attestation server is asked with what /onboard says.
      if (step !== "identify") await untilAborted(allAsked.promise, signal);
    },
  });
  assertEquals(run.report.outcome, "updated", run.story);
  assert(asked.has("identify"));
  assertEquals(lab.attestation.requests.length, 1);
});

const firstFaults: Readonly<
  Record<
    string,
    {
      readonly lab: LabOptions;
      readonly outcome: Outcome;
      arrange?(lab: Lab): void;
      readonly variables?: Record<string, string>;
    }
  >
> = {
  "a device of another kind": {
    lab: { behaviour: {}, attestation: "hang" },
    arrange: (lab) => void lab.registry.fault({ match: blobRequests(), action: stall(1000) }),
    variables: { DEVICE: "esp32s2" },
    outcome: "wrong-target",
  },
  "a refused attestation": {
    lab: { behaviour: { info: "silent" }, attestation: "401" },
    arrange: (lab) => void lab.registry.fault({ match: manifestRequests(), action: stall() }),
    outcome: "attestation-refused",
  },
  "an image that is not there": {
    lab: { behaviour: { info: "silent" }, attestation: "hang" },
    variables: { FIRMWARE: "absent" },
    outcome: "not-found",
  },
};

for (const [name, row] of Object.entries(firstFaults)) {
  Deno.test(`flashJob: ${name} stops everything that runs beside it, and is what the report says`, async () => {
    await using lab = await startLab(row.lab);
    row.arrange?.(lab);
    const variables = row.variables?.["FIRMWARE"] === undefined
      ? row.variables
      : { FIRMWARE: `${lab.reference}-absent` };
    // The others would wait for ever: the deadlines that could end them are hours away.
    const patient = Object.fromEntries(
      ["FLASHJOB_TIMEOUT", "DEVICE_TIMEOUT", "ATTESTATION_TIMEOUT", "REGISTRY_IDLE_TIMEOUT"]
        .map((variable) => [variable, "10h"]),
    );
    const run = await runOutcomeJob(lab, {
      spawn: spawnOwnAgent,
      ...environment({ ...patient, ...variables }),
    });
    assertEquals(run.report.outcome, row.outcome, run.story);
    assertEquals(run.leftovers, [], run.story);
    assertEquals(run.outside.children, []);
    assertEquals(updateRequests(lab), 0);
  });
}
