/**
 * Whatever happens outside: exit code 0 is only said of a device that runs the image, every job ends within its
 * deadline, and nothing is left behind.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import * as fc from "fast-check";
import type { Outcome } from "../src/job/job_outcome.ts";
import { parseDuration } from "../src/job/option.ts";
import { Interruption } from "../src/cli/command.ts";
import type { Clock } from "../src/world.ts";
import { serverPair } from "./builders/certificates.ts";
import { startAttestation } from "./lab/attestation.ts";
import { type Lab, startLab } from "./lab/lab_world.ts";
import { spawnOwnAgent } from "./lab/outcome_agent.ts";
import { type OutcomeRun, runOutcomeJob, runsImage, updateRequests } from "./lab/outcome_run.ts";
import { REGISTRY_FAULTS, type Scenario, scenarios } from "./lab/outcome_scenario.ts";
import { visit } from "./lab/strangers.ts";

/** Worlds of one run. */
const SCENARIOS = 500;

/** Any other number is another 500 worlds: SEED=... */
const SEED = Number(Deno.env.get("SEED") ?? 20_260_613);

/** Worlds at the same time: they mostly wait, and more of them would only make each other wait for the processor. */
const SIDE_BY_SIDE = 16;

/** What the lab's image says of itself. */
const IMAGE_VERSION = "1.1.0";

/** The program lives that many times as fast as it does in the field, its device forty times. */
const SPEED = 10;

/** How long after its deadline a job may still be cleaning up, in milliseconds of its own clock. */
const CLEANING_UP = 10_000;

Deno.test(`flashJob: ${SCENARIOS} random worlds, no false success, no overrun, nothing left`, async () => {
  const waiting = [...fc.sample(scenarios, { numRuns: SCENARIOS, seed: SEED }).entries()];
  const endings = new Map<string, number>();
  const faults: string[] = [];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, scenario] = next;
      const result = await play(scenario);
      for (const ending of result.endings) endings.set(ending, (endings.get(ending) ?? 0) + 1);
      faults.push(
        ...result.faults.map((fault) =>
          `world ${index} of seed ${SEED}: ${fault}\n${JSON.stringify(scenario, null, 1)}`
        ),
      );
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  console.log(`seed ${SEED}: ${[...endings].sort().map(([name, count]) => `${count} ${name}`).join(", ")}`);
  assertEquals(faults, []);
});

interface Played {
  readonly endings: string[];
  readonly faults: string[];
}

/** Runs the jobs of one world, one after the other. */
async function play(scenario: Scenario): Promise<Played> {
  const { pinned } = await serverPair();
  const visits: Promise<unknown>[] = [];
  const timers: ReturnType<typeof setTimeout>[] = [];
  const later = (milliseconds: number, action: () => void): void =>
    void timers.push(setTimeout(action, milliseconds));
  await using lab = await startLab({
    behaviour: scenario.behaviour,
    from: scenario.from,
    size: 60_000,
    onDeviceEvent({ name, detail }) {
      if (name !== "request" || !detail.startsWith("POST")) return;
      for (const { kind, at } of scenario.strangers) {
        later(at, () => visits.push(visit(kind, { port: lab.agentPort, pinned, patience: 200 })));
      }
    },
  });
  const fault = REGISTRY_FAULTS[scenario.registryFault];
  if (fault !== undefined) lab.registry.fault(fault);
  await using openServer = scenario.knowsEveryone ? startAttestation() : undefined;
  const attestation = openServer ?? lab.attestation;
  for (const { mode, at } of scenario.attestation) later(at, () => attestation.mode = mode);
  const stop = new AbortController();
  if (scenario.stopAt !== undefined) {
    later(scenario.stopAt, () => stop.abort(new Interruption("SIGTERM")));
  }
  const played: Played = { endings: [], faults: [] };
  for (const [index, environment] of scenario.jobs.entries()) {
    const seenBefore = lab.device.events.length;
    const { run, isLate } = await runInTime(
      lab,
      { ...environment, DICE_AUTH_SERVICE_SERVICE_PORT: `${attestation.port}` },
      index === 0 ? stop.signal : undefined,
    );
    played.endings.push(run.report.outcome);
    const wrong = faultsOf(lab, run, scenario, seenBefore);
    if (isLate) wrong.push("it did not end within its deadline");
    // A request of the job before may arrive when that one has ended.
    if (updateRequests(lab) > index + 1) wrong.push("the device was asked more than once");
    played.faults.push(...wrong.map((words) => `job ${index}: ${words}\n${run.story}`));
  }
  timers.forEach(clearTimeout);
  await Promise.all(visits);
  return played;
}

/** Runs one job, and counts its own time beside it in small steps: a machine that stood still does not count. */
async function runInTime(
  lab: Lab,
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<{ readonly run: OutcomeRun; readonly isLate: boolean }> {
  const deadline = parseDuration(environment["FLASHJOB_TIMEOUT"] ?? "") + CLEANING_UP;
  const ended = new AbortController();
  let watch: Promise<boolean> = Promise.resolve(false);
  const job = runOutcomeJob(lab, {
    speed: SPEED,
    onlyPort: lab.agentPort,
    spawn: spawnOwnAgent,
    environment: { ...PATIENCE, OTA_AGENT_PATH: "builtin", ...environment },
    ...(signal === undefined ? {} : { signal }),
    onOutside: ({ world }) => void (watch = outlasts(world.clock, deadline, ended.signal)),
  });
  const run = await job.finally(() => ended.abort());
  return { run, isLate: await watch };
}

/** Deadlines in the time of the job. */
const PATIENCE = {
  DEVICE_TIMEOUT: "10s",
  DIAL_IN_TIMEOUT: "20s",
  REDIAL_TIMEOUT: "5s",
  ATTESTATION_TIMEOUT: "10s",
  TRANSFER_IDLE_TIMEOUT: "5s",
  // A look may take a fortieth of it; two that nobody answers count as a restart, which a busy machine must not play.
  CONFIRM_TIMEOUT: "100s",
} as const;

/** One step of the count, in milliseconds. */
const STEP = 250;

async function outlasts(clock: Clock, milliseconds: number, ended: AbortSignal): Promise<boolean> {
  for (let passed = 0; passed < milliseconds; passed += STEP) {
    if (await clock.sleep(STEP, ended).then(() => false, () => true)) return false;
  }
  return true;
}

/** `seenBefore`: how many events of the device the job did not live to see. */
function faultsOf(lab: Lab, run: OutcomeRun, { from }: Scenario, seenBefore: number): string[] {
  const { outcome, code } = run.report;
  const faults: string[] = [];
  if (outcome === "internal") faults.push("a fault of our own");
  // `dry-run` sends nothing and says so; `sent` claims no more than the transfer.
  const claimsImage = outcome === "updated" || outcome === "updated-unconfirmed" ||
    outcome === "already-current";
  // "The device already runs this version" may also be said of one that left the factory with it.
  const leftWithVersion = outcome === "already-current" && from === IMAGE_VERSION &&
    lab.device.running.image === undefined && lab.device.running.version === IMAGE_VERSION;
  if (claimsImage && !leftWithVersion && !runsImage(lab)) faults.push("a false success");
  // Nor is a device said to have refused what it installed where its version tells: else only the restart does, which
  // takes a few looks' time and not, as here, less than two.
  const { before } = run.report.device ?? {};
  const deniesImage = outcome === "image-rejected" || outcome === "old-version";
  const restarted = lab.device.events.slice(seenBefore).some(({ name }) => name === "restarted");
  const isTold = before !== undefined && before !== IMAGE_VERSION;
  if (deniesImage && isTold && restarted && runsImage(lab)) faults.push("a false failure");
  if ((code === 0) !== CLAIMS.has(outcome)) faults.push(`exit code ${code} for ${outcome}`);
  if (run.leftovers.length > 0) faults.push(`left behind: ${run.leftovers.join(", ")}`);
  return faults;
}

/** The outcomes with exit code 0. */
const CLAIMS: ReadonlySet<Outcome> = new Set([
  "updated",
  "updated-unconfirmed",
  "sent",
  "already-current",
  "dry-run",
]);
