/**
 * The whole job against a lab on loopback: the real program as a child with the operator's environment.
 *
 *     deno task demo [--fail NAME]
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { denoWorld } from "../../src/deno_world.ts";
import { parseDeviceAddress } from "../../src/device/device_address.ts";
import { DeviceClient } from "../../src/device/device_client.ts";
import { type Outcome, OUTCOMES } from "../../src/job/job_outcome.ts";
import { quietLog } from "../ota_agent/agent_run.ts";
import { type LabOptions, startLab, stopSignal } from "./lab_world.ts";
import { deviceBehaviours } from "./device_behaviour.ts";
import { processEnvironment, PROGRAM_ARGS } from "./program.ts";

/** What a run shows. */
interface Story {
  /** How it ends. */
  readonly ending: Outcome;
  /** What makes it end so. */
  readonly lab: LabOptions;
}

const SUCCESS: Story = { ending: "updated", lab: {} };

/** Failures worth seeing, by the name that `--fail` takes. */
const FAILURES: Readonly<Record<string, Story>> = {
  "attestation": { ending: "attestation-refused", lab: { attestation: "401" } },
  "attestation-down": { ending: "attestation-unavailable", lab: { attestation: "down" } },
  "update-500": { ending: "update-refused", lab: { behaviour: { update: 500 } } },
  "insecure": { ending: "update-refused", lab: { behaviour: { update: "insecure" } } },
  "never-dials": { ending: "device-never-dialled", lab: { behaviour: { dials: "never" } } },
  "wrong-pin": { ending: "tls-refused", lab: { behaviour: { wrongPin: true } } },
  "transfer": {
    ending: "transfer-broken",
    lab: { behaviour: { transfer: { fraction: 0.5, then: "reset" } } },
  },
  "rejected": { ending: "image-rejected", lab: { behaviour: { rejectsImage: true } } },
  // Slow enough that its restart is seen, however busy the machine is.
  "rollback": {
    ending: "old-version",
    lab: { timings: 1 / 8, behaviour: deviceBehaviours["rollback"] ?? {} },
  },
  "never-returns": { ending: "device-lost", lab: { behaviour: { afterRestart: "gone" } } },
  "downgrade": { ending: "downgrade-refused", lab: { from: "2.0.0" } },
};

/** The fast device lives forty times as fast as a real one, so a demo need not wait for a real one's patience. */
const FAST: Readonly<Record<string, string>> = {
  DIAL_IN_TIMEOUT: "4s",
  REDIAL_TIMEOUT: "2s",
  CONFIRM_TIMEOUT: "6s",
  TRANSFER_IDLE_TIMEOUT: "2s",
  ATTESTATION_TIMEOUT: "3s",
};

/** What the demo ends with: 0 when the story was the promised one, otherwise why it was not. */
export function verdictOf(
  ending: Outcome,
  run: { readonly code: number; readonly isUpdated: boolean },
): { readonly exit: number; readonly complaint?: string } {
  if ((run.code === 0) !== run.isUpdated) {
    return { exit: 70, complaint: "THE EXIT CODE LIES: it does not say what the device runs" };
  }
  const { exit } = OUTCOMES[ending];
  if (run.code === exit) return { exit: 0 };
  return {
    exit: run.code === 0 ? 1 : run.code,
    complaint: `THE STORY IS ANOTHER: it should have ended with exit code ${exit}, ${ending}`,
  };
}

async function demo({ ending, lab: options }: Story): Promise<number> {
  const stop = stopSignal();
  const colour = Deno.stdout.isTerminal() && !Deno.env.get("NO_COLOR");
  const say = (who: string, text: string): void =>
    console.log(colour ? `\x1b[2m${who.padEnd(8)}\x1b[0m ${text}` : `${who.padEnd(8)} ${text}`);
  let last = "";
  let isOver = false;
  const told = new Set(["request", "verified", "rejected", "restarting", "restarted"]);
  await using lab = await startLab({
    size: 1_000_000,
    ...options,
    onDeviceEvent: ({ name, detail }) => {
      const text = detail === "" ? name : `${name}: ${detail}`;
      // The job looks again and again until it believes what it sees.
      if (!isOver && told.has(name) && text !== last) say("device", text);
      if (told.has(name)) last = text;
    },
  });
  say("lab", `registry     http://${lab.registry.host}  holds team/thermo:1.1.0 for esp32, esp32s2, esp32s3`);
  say("lab", `device       http://${lab.device.endpoint}  esp32s3, runs ${lab.device.running.version}`);
  say("lab", `attestation  ${lab.attestation.url}`);
  say("lab", "flashjob is started as the operator starts it: no arguments, everything in the environment");
  console.log();

  const before = lab.device.running.version;
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [...PROGRAM_ARGS],
    env: { ...processEnvironment(), ...(colour ? {} : { NO_COLOR: "1" }), ...FAST, ...lab.environment },
    clearEnv: true,
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  // The signal is the child's, which must clean up before its lab goes; a terminal's ctrl-c reaches it twice.
  const passOn = (): void => child.kill(stop.reason);
  if (stop.aborted) passOn();
  stop.addEventListener("abort", passOn);
  const { code } = await child.status;
  isOver = true;
  stop.removeEventListener("abort", passOn);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);

  console.log();
  say("lab", `flashjob ended with exit code ${code} after ${seconds} s`);
  say("lab", `device version before: ${before}`);
  say("lab", `device version after:  ${await toldVersion(lab.device.endpoint)}`);
  const image = await sha256(lab.firmware);
  const flash = await sha256(lab.device.running.image ?? new Uint8Array());
  say("lab", `sha256 of the image file:      ${image}`);
  say(
    "lab",
    `sha256 of what the device runs: ${lab.device.running.image === undefined ? "(its old image)" : flash}`,
  );
  const isUpdated = flash === image && lab.device.running.version === "1.1.0";
  // One that is stopped may leave the device either way.
  if (stop.aborted) return code;
  const { exit, complaint } = verdictOf(ending, { code, isUpdated });
  if (complaint !== undefined) say("lab", complaint);
  return exit;
}

/** What the device says that it runs, in `/info`, as anybody can ask it. */
async function toldVersion(endpoint: string): Promise<string> {
  const { clock, openHttp } = denoWorld(quietLog);
  using http = openHttp({ proxy: "direct" });
  const device = new DeviceClient(parseDeviceAddress(endpoint), { http, clock, timeout: 2_000 });
  const reading = await device.readInfo(new AbortController().signal);
  return reading.kind === "info" ? reading.info.version ?? "(none)" : "(it does not answer)";
}

async function sha256(bytes: Uint8Array): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes))).toHex();
}

function storyOf(fail: string | undefined): Story | undefined {
  if (fail === undefined) return SUCCESS;
  return Object.hasOwn(FAILURES, fail) ? FAILURES[fail] : undefined;
}

function help(): string {
  return [
    "Usage: deno task demo [--fail NAME]",
    "Runs the real flashjob against a registry, a device and an attestation server on loopback.",
    `--fail shows a failure and its exit code: ${Object.keys(FAILURES).join(", ")}`,
  ].join("\n");
}

if (import.meta.main) {
  const unknown: string[] = [];
  const args = parseArgs(Deno.args, {
    string: ["fail"],
    boolean: ["help"],
    unknown: (argument) => void unknown.push(argument),
  });
  const fail = typeof args["fail"] === "string" ? args["fail"] : undefined;
  const story = storyOf(fail);
  if (args["help"] === true) console.log(help());
  else if (unknown.length > 0 || story === undefined) {
    console.error(`Cannot run the demo with '${unknown[0] ?? `--fail ${fail}`}'\n${help()}`);
    Deno.exit(2);
  } else Deno.exit(await demo(story));
}
