/**
 * A job that is told to stop, in every phase: it says by which signal, and leaves nothing behind.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { denoWorld } from "../src/deno_world.ts";
import { Interruption } from "../src/cli/command.ts";
import { SIGNAL_OUTCOMES } from "../src/job/job_outcome.ts";
import { writeClassicAgent } from "./lab/classic_agent.ts";
import type { DeviceEvent } from "./lab/device_options.ts";
import { type Lab, type LabOptions, startLab } from "./lab/lab_world.ts";
import { spawnOwnAgent } from "./lab/outcome_agent.ts";
import { type OutcomeRunOptions, runOutcomeJob, runsImage, updateRequests } from "./lab/outcome_run.ts";
import type { OutcomeWorldOptions } from "./lab/outcome_world.ts";
import { blobRequests, stall } from "./lab/registry_fault.ts";

/** When the signal comes. */
interface Phase {
  readonly name: string;
  /** A lab in which this phase lasts. */
  readonly lab?: LabOptions;
  readonly arrange?: (lab: Lab) => void;
  /** The signal comes when this happens on the device; otherwise `world` sends it. */
  readonly on?: (event: DeviceEvent) => boolean;
  readonly world?: (stop: () => void) => OutcomeWorldOptions;
  /** Whether the device was asked to update by then. */
  readonly asked: boolean;
  /** The classic agent is no other story than the built-in one before the agent starts. */
  readonly withClassic?: true;
  /** The other agent has no such phase. */
  readonly only?: "classic";
}

const phases: readonly Phase[] = [
  { name: "before anything", world: (stop) => (stop(), {}), asked: false },
  {
    name: "pull",
    arrange: (lab) => void lab.registry.fault({ match: blobRequests(), action: stall(1000) }),
    world: (stop) => ({
      // A moment after the first blob was asked for; its body never comes to its end.
      beforeRequest: (url) => void (url.pathname.includes("/blobs/") && setTimeout(stop, 50)),
    }),
    asked: false,
  },
  {
    name: "look",
    lab: { behaviour: { info: "silent" } },
    on: ({ name, detail }) => name === "request" && detail === "GET /info",
    asked: false,
  },
  {
    name: "check",
    // What was pulled is read once more, to be looked at.
    world: (stop) => ({ onOpen: (path) => /\/firmware-\d+\.bin$/.test(path) && stop() }),
    asked: false,
  },
  {
    name: "identify",
    lab: { attestation: "hang" },
    world: (stop) => ({
      // A moment after the question has left; the server has it then and says nothing.
      beforeRequest: (url) => void (url.pathname === "/" && setTimeout(stop, 20)),
    }),
    asked: false,
  },
  {
    name: "ready",
    world: (stop) => ({
      spawn: (_command, world) => {
        setTimeout(stop, 20);
        return denoWorld(world.log).spawn({ path: "/bin/sleep", args: ["60"], env: {} });
      },
    }),
    asked: false,
  },
  {
    name: "deliver",
    lab: { behaviour: { dials: "never" } },
    on: ({ name, detail }) => name === "request" && detail === "POST /update",
    asked: true,
    withClassic: true,
  },
  {
    name: "attestation on dial-in",
    lab: { behaviour: { onboard: "absent" }, attestation: "hang" },
    on: ({ name }) => name === "certificate sent",
    asked: true,
    withClassic: true,
  },
  {
    name: "transfer",
    lab: { behaviour: { transfer: { fraction: 0.5, then: "stall" }, receiveWindow: 5760 } },
    on: ({ name, detail }) => name === "broken" && detail === "stall",
    asked: true,
    withClassic: true,
  },
  {
    name: "drain",
    // The agent leaves to the kernel what the device never takes.
    lab: { behaviour: { transfer: { fraction: 0.2, then: "stall" }, receiveWindow: 5760 }, size: 150_000 },
    world: (stop) => {
      let hasEnded = false;
      let looks = 0;
      return {
        spawn: (command, world) => {
          const child = denoWorld(world.log).spawn(command);
          child.status.then(() => hasEnded = true);
          return child;
        },
        // The first may still have been on its way.
        onOpen: (path) => hasEnded && path === "/proc/net/tcp" && ++looks === 3 && stop(),
      };
    },
    asked: true,
    only: "classic",
  },
  {
    name: "confirm",
    lab: { behaviour: { afterRestart: "gone" } },
    on: ({ name }) => name === "restarting",
    asked: true,
    withClassic: true,
  },
];

for (const [index, phase] of phases.entries()) {
  for (const agent of phase.withClassic ? ["builtin", "classic"] : [phase.only ?? "builtin"]) {
    const processSignal = (index + (agent === "classic" ? 1 : 0)) % 2 === 0 ? "SIGTERM" : "SIGINT";
    Deno.test(`flashJob: ${processSignal} in phase '${phase.name}' with the ${agent} agent ends it cleanly`, async () => {
      const interrupted = new AbortController();
      const stop = (): void => interrupted.abort(new Interruption(processSignal));
      await using lab = await startLab({
        ...phase.lab,
        onDeviceEvent: (event) => phase.on?.(event) && stop(),
      });
      phase.arrange?.(lab);
      const options: OutcomeRunOptions = { spawn: spawnOwnAgent, ...phase.world?.(stop) };
      const run = await runOutcomeJob(lab, {
        ...options,
        signal: interrupted.signal,
        environment: {
          OTA_AGENT_PATH: agent === "builtin"
            ? "builtin"
            : await writeClassicAgent(lab.directory, { port: lab.agentPort, timeScale: 1 / 40 }),
        },
      });
      assertEquals(run.report.outcome, SIGNAL_OUTCOMES[processSignal], run.story);
      assertEquals(run.report.code, processSignal === "SIGTERM" ? 143 : 130);
      assertEquals(run.leftovers, [], run.story);
      assertEquals(updateRequests(lab), phase.asked ? 1 : 0, run.story);
      assertEquals(runsImage(lab), false);
    });
  }
}
