/**
 * What is called sent has arrived: with a device that reads slowly through a small window, whose bytes stay in our
 * kernel long after the agent has written them.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { serverPair } from "./builders/certificates.ts";
import { buildEspApp } from "./builders/esp_image.ts";
import { buildFirmwareImage } from "./builders/oci_image.ts";
import { startAttestation } from "./lab/attestation.ts";
import { writeClassicAgent } from "./lab/classic_agent.ts";
import { type LabDevice, startDevice } from "./lab/device.ts";
import { freePort, type Lab, startLab } from "./lab/lab_world.ts";
import { runOutcomeJob, runsImage, SHORT_DEADLINES } from "./lab/outcome_run.ts";
import { processEnvironment, PROGRAM_ARGS, runProgram } from "./lab/program.ts";
import { startRegistry } from "./lab/registry.ts";
import { relay, startJobNetwork } from "./lab/slow_network.ts";

/** 60 kB/s on the wire: a rate before scaling, of a device that lives forty times as fast. lwIP's window. */
const SLOW = { bytesPerSecond: 60_000 / 40, receiveWindow: 5760 } as const;

/** What the device has acknowledged lies in its program, read or not, or in its system's window. */
const UNREAD = 2 * SLOW.receiveWindow;

/** Three seconds at that rate. */
const SIZE = 180_000;

const AGENTS = ["builtin", "classic"] as const;

async function agentPath(agent: typeof AGENTS[number], at: Pick<Lab, "directory" | "agentPort">) {
  return agent === "builtin"
    ? "builtin"
    : await writeClassicAgent(at.directory, { port: at.agentPort, timeScale: 1 });
}

/** How much of the image the device may have: in its flash, or with the classic agent at least in its hands. */
function bytesAt(device: LabDevice, agent: typeof AGENTS[number]): number {
  if (agent === "builtin") return device.flash.length;
  return Math.max(...device.attempts.map(({ link }) => link?.arrivedBytes ?? 0)) + UNREAD;
}

for (const agent of AGENTS) {
  Deno.test(`flashJob: with the ${agent} agent, a slow reader has every byte before the firmware is called sent`, async () => {
    await using lab = await startLab({ behaviour: SLOW, size: SIZE });
    const atDelivery: number[] = [];
    const run = await runOutcomeJob(lab, {
      environment: { OTA_AGENT_PATH: await agentPath(agent, lab) },
      onLog({ message }) {
        if (/^(Watching .* restart|the device took \d+ bytes)/.test(message)) {
          atDelivery.push(bytesAt(lab.device, agent));
        }
      },
    });
    assertEquals(run.report.outcome, "updated", run.story);
    assert(atDelivery.length >= 1);
    assert(runsImage(lab));
    for (const length of atDelivery) assert(length >= lab.firmware.length, `${length} bytes`);
  });
}

for (const agent of AGENTS) {
  Deno.test(`flashjob: with the ${agent} agent, nothing is lost when its network is taken away as it exits`, async () => {
    await using network = await startJobNetwork();
    if (network === undefined) return;
    const { labAddress, jobAddress } = network;
    const firmware = buildEspApp({ chip: "esp32s3", version: "1.1.0", project: "thermo", size: SIZE });
    const pair = await serverPair();
    const directory = await Deno.makeTempDir({ prefix: "lab-" });
    await using resources = new AsyncDisposableStack();
    resources.defer(() => Deno.remove(directory, { recursive: true }));
    await Deno.writeTextFile(`${directory}/server.crt`, pair.certificate);
    await Deno.writeTextFile(`${directory}/server.key`, pair.key);
    const registry = resources.use(await startRegistry());
    const image = buildFirmwareImage({ format: "oci", platforms: [{ architecture: "esp32s3", firmware }] });
    const reference = registry.put(image, "team/thermo", "1.1.0").replace("127.0.0.1", labAddress);
    const attestation = resources.use(startAttestation());
    const agentPort = freePort();
    const device = resources.use(
      await startDevice({
        hostname: labAddress,
        agentPort,
        pinned: pair.pinned,
        version: "1.0.0",
        expectedImage: firmware,
        timings: "fast",
        behaviour: SLOW,
      }),
    );
    const registryPort = Number(registry.host.split(":")[1]);
    resources.use(relay(labAddress, registryPort));
    resources.use(relay(labAddress, attestation.port));

    const [program = "", ...words] = [...network.prefix, Deno.execPath(), ...PROGRAM_ARGS];
    const { code, stderr } = await new Deno.Command(program, {
      args: words,
      env: {
        ...processEnvironment(),
        ...SHORT_DEADLINES,
        NO_COLOR: "1",
        FIRMWARE: reference,
        PLAIN_HTTP: `${labAddress}:${registryPort}`,
        DEVICE: "esp32s3",
        HOST_ENDPOINT: device.endpoint,
        EXTERNAL_IP: jobAddress,
        DICE_AUTH_URL: `http://${labAddress}:${attestation.port}`,
        AGENT_PORT: `${agentPort}`,
        OTA_AGENT_PATH: await agentPath(agent, { directory, agentPort }),
        SERVER_CRT_PATH: `${directory}/server.crt`,
        SERVER_KEY_PATH: `${directory}/server.key`,
        // It ends with the transfer, not with the restart that would prove everything anyhow.
        CONFIRM: "off",
      },
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    await network.cut();
    const story = `${new TextDecoder().decode(stderr)}\ndevice: ${device.log.join("; ")}`;
    // Without a receipt there is no success, but nothing may be lost all the same.
    assert(agent === "builtin" ? code === 0 : code === 0 || code === 27, story);
    await device.until("restarted");
    assertEquals(device.running.image, firmware, story);
  });
}

for (const agent of AGENTS) {
  Deno.test(`flashjob: with the ${agent} agent, at its exit nothing of it is needed any more: the device has every byte`, async () => {
    await using lab = await startLab({ behaviour: SLOW, size: SIZE });
    const run = await runProgram([], {
      environment: {
        ...lab.environment,
        ...SHORT_DEADLINES,
        CONFIRM: "off",
        OTA_AGENT_PATH: await agentPath(agent, lab),
      },
    });
    const atExit = bytesAt(lab.device, agent);
    // Without a receipt there is no success, but nothing may be lost all the same.
    assert(run.code === 0 || (agent === "classic" && run.code === 27), run.stderr);
    assert(atExit >= lab.firmware.length, `${atExit} bytes`);
    await lab.device.until("restarted");
    assert(runsImage(lab), run.stderr);
  });
}
