import { serverPair } from "../builders/certificates.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import { buildFirmwareImage } from "../builders/oci_image.ts";
import { startAttestation } from "../lab/attestation.ts";
import { writeClassicAgent } from "../lab/classic_agent.ts";
import { type LabDevice, startDevice } from "../lab/device.ts";
import { freePort } from "../lab/lab_world.ts";
import { processEnvironment, PROGRAM_ARGS } from "../lab/program.ts";
import { blobRequests, trickle } from "../lab/registry_fault.ts";
import { startRegistry } from "../lab/registry.ts";

/** Odd, so that there is a median. */
const ROUNDS = 5;

/** Bytes of the firmware: a usual size for a device with radio. */
const SIZE = 1_000_000;

/** What the Go tool waits between starting its agent and asking the device. */
const CLASSIC_SLEEP = 2000;

/** How fast the registry gives its blobs: as fast as loopback, or like a link at the edge. */
const LINKS = [
  { name: "a registry next door", pieceBytes: undefined },
  { name: "a registry at 300 kB/s", pieceBytes: 15_000 },
] as const;

/** Milliseconds between two pieces. */
const PIECE_PAUSE = 50;

/** What one update ran with. */
interface Bench {
  readonly directory: string;
  readonly reference: string;
  readonly agentPort: number;
  readonly attestationUrl: string;
  readonly device: LabDevice;
}

/**
 * From the start of the program to the device's last firmware byte, with a device and an attestation server as slow as
 * real ones: flashjob with its built-in agent, and the flow of the classic tool, turn by turn. Prints medians.
 */
export async function run(): Promise<void> {
  for (const link of LINKS) {
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      // Who goes first changes from round to round.
      for (const flow of round % 2 === 0 ? [builtinFlow, classicFlow] : [classicFlow, builtinFlow]) {
        (flow === builtinFlow ? ours : theirs).push(await measured(flow, link.pieceBytes));
      }
    }
    const [we, they] = [median(ours), median(theirs)];
    console.log(`${link.name}, ${SIZE / 1e6} MB, medians of ${ROUNDS} rounds, turn by turn`);
    console.log(`  flashjob, built-in agent  ${seconds(we)}  (${ours.map(seconds).join(", ")})`);
    console.log(`  classic flow              ${seconds(they)}  (${theirs.map(seconds).join(", ")})`);
    console.log(`  flashjob is ${seconds(they - we)} sooner`);
  }
}

/** Milliseconds from the start of `flow` to the last byte, in a lab of its own. */
async function measured(flow: typeof builtinFlow, pieceBytes: number | undefined): Promise<number> {
  await using resources = new AsyncDisposableStack();
  const pair = await serverPair();
  const firmware = buildEspApp({ chip: "esp32s3", version: "1.1.0", project: "thermo", size: SIZE });
  const registry = resources.use(await startRegistry());
  if (pieceBytes !== undefined) {
    registry.fault({ match: blobRequests(), action: trickle(pieceBytes, PIECE_PAUSE) });
  }
  const image = buildFirmwareImage({ format: "oci", platforms: [{ architecture: "esp32s3", firmware }] });
  const reference = registry.put(image, "bench/thermo", "1.1.0");
  const attestation = resources.use(startAttestation({ timings: "faithful" }));
  const agentPort = freePort();
  const device = resources.use(
    await startDevice({
      agentPort,
      pinned: pair.pinned,
      version: "1.0.0",
      expectedImage: firmware,
      timings: "faithful",
    }),
  );
  const directory = await Deno.makeTempDir({ prefix: "bench-job-" });
  resources.defer(() => Deno.remove(directory, { recursive: true }));
  await Deno.writeTextFile(`${directory}/server.crt`, pair.certificate);
  await Deno.writeTextFile(`${directory}/server.key`, pair.key);
  const begun = Date.now();
  const flowing = flow({ directory, reference, agentPort, attestationUrl: attestation.url, device });
  const { at } = await device.until("last byte");
  await flowing;
  if (device.flash.length !== firmware.length) {
    throw new Error("Cannot compare: the device has another image");
  }
  return at - begun;
}

/** The program as the operator starts it; only the proof after the transfer is left out, as it is not measured. */
async function builtinFlow(bench: Bench): Promise<void> {
  await succeed([...PROGRAM_ARGS], {
    FIRMWARE: bench.reference,
    DEVICE: "esp32s3",
    HOST_ENDPOINT: bench.device.endpoint,
    EXTERNAL_IP: "127.0.0.1",
    DICE_AUTH_URL: bench.attestationUrl,
    AGENT_PORT: `${bench.agentPort}`,
    OTA_AGENT_PATH: "builtin",
    SERVER_CRT_PATH: `${bench.directory}/server.crt`,
    SERVER_KEY_PATH: `${bench.directory}/server.key`,
    CONFIRM: "off",
  });
}

/**
 * What the Go tool does: pull, start the agent, wait 2 s, ask the device. Its pull is ours, which is the faster one,
 * and its agent is the stand-in, which takes the certificate sooner than the C program that looks twice a second.
 */
async function classicFlow(bench: Bench): Promise<void> {
  const { directory } = bench;
  const file = `${directory}/app.bin`;
  await succeed([...PROGRAM_ARGS, "pull", bench.reference, "--device", "esp32s3", "--output", file], {});
  const path = await writeClassicAgent(directory, { port: bench.agentPort });
  const agent = new Deno.Command(path, {
    env: {
      PATH: Deno.env.get("PATH") ?? "",
      NEW_FIRMWARE_PATH: file,
      DICE_AUTH_URL: bench.attestationUrl,
      SERVER_CRT_PATH: `${directory}/server.crt`,
      SERVER_KEY_PATH: `${directory}/server.key`,
    },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await new Promise((resolve) => setTimeout(resolve, CLASSIC_SLEEP));
  const reply = await fetch(`http://${bench.device.endpoint}/update`, {
    method: "POST",
    headers: { "content-type": "text/plain" },
    body: "ip: 127.0.0.1",
  });
  await reply.body?.cancel();
  await agent.status;
}

async function succeed(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    env: { ...processEnvironment(), NO_COLOR: "1", ...env },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`Cannot measure: the program failed\n${new TextDecoder().decode(stderr)}`);
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? NaN;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}
