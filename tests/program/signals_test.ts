/**
 * SIGTERM and SIGINT in every phase of a job: the agent ends, the files are gone, and the report is still written.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { OUTCOMES } from "../../src/job/job_outcome.ts";
import { writeClassicAgent } from "../lab/classic_agent.ts";
import { type Lab, type LabOptions, startLab } from "../lab/lab_world.ts";
import { blobRequests, stall } from "../lab/registry_fault.ts";
import type { RecordedRequest } from "../lab/recorded_request.ts";
import { bodyBytes, type Reply } from "../lab/registry_reply.ts";
import { assertNotUpdated, finalLineOf, reportOf, runLabJob } from "./lab_job.ts";

const OUTCOMES_OF_SIGNALS = {
  SIGTERM: "terminated",
  SIGINT: "interrupted",
  SIGHUP: "terminated",
  SIGQUIT: "terminated",
} as const;

type Signal = keyof typeof OUTCOMES_OF_SIGNALS;

/** What a terminal sends that is closed, or told to quit, ends a job like SIGTERM: tried where the agent would stay. */
const OTHERS: Readonly<Record<string, readonly Signal[]>> = {
  "the wait for the device's dial": ["SIGHUP", "SIGQUIT"],
};

interface Phase {
  readonly name: string;
  readonly lab?: LabOptions;
  /** Prepares the lab; returns variables that differ from the operator's. */
  readonly arrange?: (lab: Lab) => Record<string, string> | Promise<Record<string, string>>;
  /** Resolves when the job is in the phase. */
  readonly reached: (lab: Lab) => Promise<unknown>;
  /** Facts that the report must hold by then. */
  readonly known: readonly string[];
}

const phases: readonly Phase[] = [
  {
    name: "a stalled pull",
    arrange: (lab) => {
      const isLayer = (request: RecordedRequest, reply: Reply): boolean =>
        blobRequests()(request) && bodyBytes(reply).length > 10_000;
      lab.registry.fault({ match: isLayer, action: stall(1000) });
      return {};
    },
    reached: (lab) => until(() => lab.registry.requests.some((request) => request.bodyBytesSent === 1000)),
    known: ["reference", "device", "image"],
  },
  {
    name: "the wait for the device's dial",
    lab: { behaviour: { dials: "never" } },
    reached: (lab) => until(() => lab.device.requests.some(({ path }) => path === "/update")),
    known: ["reference", "device", "image", "file", "transfer"],
  },
  {
    name: "the wait for the device's dial to an external agent",
    lab: { behaviour: { dials: "never" } },
    arrange: async (lab) => ({
      OTA_AGENT_PATH: await writeClassicAgent(lab.directory, { port: lab.agentPort }),
    }),
    reached: (lab) => until(() => lab.device.requests.some(({ path }) => path === "/update")),
    known: ["reference", "device", "image", "file", "transfer"],
  },
  {
    name: "an external agent that ignores SIGTERM",
    lab: { behaviour: { dials: "never" } },
    arrange: async (lab) => ({
      OTA_AGENT_PATH: await writeClassicAgent(lab.directory, {
        port: lab.agentPort,
        behaviour: "ignores SIGTERM",
      }),
    }),
    reached: (lab) => until(() => lab.device.requests.some(({ path }) => path === "/update")),
    known: ["transfer"],
  },
  {
    name: "a device that does not answer the update request",
    lab: { behaviour: { update: "silent", dials: "never" } },
    reached: (lab) => until(() => lab.device.requests.some(({ path }) => path === "/update")),
    known: ["transfer"],
  },
  {
    name: "the transfer to a slow device",
    lab: { behaviour: { bytesPerSecond: 500, receiveWindow: 5760 } },
    reached: (lab) => until(() => lab.device.flash.length > 0),
    known: ["reference", "device", "image", "file", "transfer"],
  },
  {
    name: "an attestation that hangs",
    lab: { attestation: "hang", behaviour: { onboard: "absent" } },
    reached: (lab) => until(() => lab.attestation.requests.length > 0),
    known: ["transfer"],
  },
  {
    name: "the watch for the device's return",
    lab: { behaviour: { afterRestart: "gone" } },
    reached: (lab) => lab.device.until("restarting"),
    known: ["reference", "device", "image", "file", "transfer"],
  },
];

for (const { name, lab: options, arrange, reached, known } of phases) {
  for (const signal of ["SIGTERM", "SIGINT", ...OTHERS[name] ?? []] as const) {
    Deno.test(`flashjob: ${signal} during ${name} ends it in order`, async () => {
      await using lab = await startLab(options);
      const environment = await arrange?.(lab) ?? {};
      let sent: Promise<unknown> = Promise.resolve();
      const run = await runLabJob(lab, {
        args: ["--output", "json", "--dial-in-timeout", "30s", "--attestation-timeout", "30s"],
        environment: { CONFIRM_TIMEOUT: "30s", TRANSFER_IDLE_TIMEOUT: "30s", ...environment },
        onStart: (child) => {
          sent = reached(lab).finally(() => child.kill(signal));
          // A run that ends early is told of first.
          sent.catch(() => undefined);
        },
      });
      await sent;
      assertNotUpdated(lab);
      const outcome = OUTCOMES_OF_SIGNALS[signal];
      assertEquals(run.code, OUTCOMES[outcome].exit, run.stdout + run.stderr);
      assertEquals(run.code, signal === "SIGINT" ? 130 : 143);
      const report = reportOf(run);
      assertEquals(report.outcome, outcome);
      assertEquals(report.message, `Stopped by ${signal}`);
      assertEquals(known.filter((fact) => !(fact in report)), [], run.stdout);
      // What a job is stopped in says what the device may be at.
      const remedy = known.includes("transfer")
        ? "The device may have been asked to update and go on with it: leave it alone for 80 seconds"
        : undefined;
      assertEquals(report.remedy, remedy);
      const advice = remedy === undefined ? "" : ` ${remedy}.`;
      const last = `FAILED ${outcome} (exit ${run.code}): Stopped by ${signal}.${advice}`;
      assert(finalLineOf(run).endsWith(last), finalLineOf(run));
    });
  }
}

/** Resolves when the condition holds; it is about a device or server that lives in this process. */
async function until(condition: () => boolean): Promise<void> {
  for (let looks = 0; !condition(); looks++) {
    if (looks === 1000) throw new Error("Cannot send the signal: the job never came to this phase");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
