/**
 * Two hundred strangers of every kind at the agent's port, before the device dials and while it is served.
 *
 * @module
 */
import { assert, assertEquals, assertLess } from "@std/assert";
import { serverPair } from "./builders/certificates.ts";
import { startLab } from "./lab/lab_world.ts";
import { type OutcomeRun, runOutcomeJob, runsImage } from "./lab/outcome_run.ts";
import type { OutcomeWorld } from "./lab/outcome_world.ts";
import { crowd, type Visit } from "./lab/strangers.ts";

const MIB = 1024 * 1024;

/** A job whose agent is looked at when the device has its last byte. */
interface WatchedJob {
  readonly run: OutcomeRun;
  readonly isUpdated: boolean;
  readonly visits: readonly Visit[];
  /** How much more memory the agent has held at most than when it had only begun to listen, in bytes. */
  readonly growth: number;
}

/** Half of the strangers come before the device, the others while it is being served. */
async function jobAmong(strangers: number): Promise<WatchedJob> {
  const { pinned } = await serverPair();
  const visits: Promise<Visit[]>[] = [];
  let outside: OutcomeWorld | undefined;
  let growth = 0;
  const memory = (figure: "VmRSS" | "VmHWM"): number => memoryOf(outside?.children[0]?.pid, figure);
  await using lab = await startLab({
    // It dials after 0.7 s, and then reads for some 4 s through a small window.
    behaviour: { dials: { atAttempt: 8 }, bytesPerSecond: 1250, receiveWindow: 5760 },
    onDeviceEvent({ name, detail }) {
      if (name === "request" && detail.startsWith("POST")) growth = -memory("VmRSS");
      if ((name === "request" && detail.startsWith("POST")) || name === "first byte") {
        visits.push(crowd(strangers / 2, { port: lab.agentPort, pinned }));
      }
      // The agent waits for the device's close now, so it is still there.
      if (name === "last byte") growth += memory("VmHWM");
    },
  });
  const run = await runOutcomeJob(lab, {
    // The device lives in this very process, which the crowd may keep from reading for some seconds.
    environment: { OTA_AGENT_PATH: "builtin", DIAL_IN_TIMEOUT: "60s", TRANSFER_IDLE_TIMEOUT: "15s" },
    onOutside: (world) => outside = world,
  });
  return { run, isUpdated: runsImage(lab), visits: (await Promise.all(visits)).flat(), growth };
}

function memoryOf(pid: number | undefined, figure: string): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(new RegExp(`^${figure}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
}

Deno.test("flashJob: among 200 strangers the device is updated, none of them gets anything, and they cost less than 20 MB", async () => {
  const alone = await jobAmong(0);
  const among = await jobAmong(200);
  for (const { run, isUpdated } of [alone, among]) {
    assertEquals(run.report.outcome, "updated", run.story);
    assertEquals(run.leftovers, []);
    assert(isUpdated);
  }
  assertEquals(among.visits.length, 200);
  assertEquals(among.visits.filter(({ received }) => received.length > 0), []);
  const [withNone, withAll] = [alone, among].map(({ growth }) => `${(growth / MIB).toFixed(1)} MiB`);
  console.log(`memory of the agent grows by ${withAll} among 200 strangers, by ${withNone} without them`);
  // The agent loads and compiles the rest of itself while it serves, whoever comes.
  assertLess(among.growth - alone.growth, 20 * MIB);
  // Nor do they fill the log.
  const lines = among.run.outside.log.filter(({ room, level }) => room === "agent" && level !== "debug");
  assertLess(lines.length, 150);
});
