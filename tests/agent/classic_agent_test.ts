import { Buffer } from "node:buffer";
import { assert, assertEquals } from "@std/assert";
import { agentCommand } from "../../src/agent/agent_command.ts";
import { startAgent } from "../../src/agent/agent_process.ts";
import type { AgentSign, AgentVerdict } from "../../src/agent/agent_transcript.ts";
import { denoWorld } from "../../src/deno_world.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import { type AttestationMode, startAttestation } from "../lab/attestation.ts";
import { environmentOf, writeClassicAgent } from "../lab/classic_agent.ts";
import type { ClassicAgentBehaviour } from "../lab/classic_agent_behaviour.ts";
import { startDevice } from "../lab/device.ts";
import type { DeviceBehaviour } from "../lab/device_behaviour.ts";
import { quietLog } from "../ota_agent/agent_run.ts";
import { agentFiles } from "./agent_files.ts";

const image = buildEspApp({ version: "0.2.0", size: 100_000 });

interface Case {
  readonly agent?: ClassicAgentBehaviour;
  readonly device?: DeviceBehaviour;
  readonly attestation?: AttestationMode;
  readonly phases?: {
    readonly dialIn?: number;
    readonly attestation?: number;
    readonly transferIdle?: number;
  };
}

interface Result {
  readonly verdict: AgentVerdict;
  readonly ready: string;
  readonly flash: Uint8Array;
  readonly signs: readonly AgentSign[];
  readonly environment: Record<string, string>;
}

/** A free port outside the range that the system hands out by itself. */
function freePort(): number {
  for (;;) {
    try {
      using listener = Deno.listen({ hostname: "0.0.0.0", port: 20_000 + Math.floor(Math.random() * 8000) });
      return listener.addr.port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

async function run(options: Case): Promise<Result> {
  const port = freePort();
  await using files = await agentFiles(image);
  await using attestation = startAttestation({ mode: options.attestation ?? "ok" });
  const path = await writeClassicAgent(files.directory, {
    port,
    timeScale: 1 / 40,
    behaviour: options.agent ?? "faithful",
  });
  const signs: AgentSign[] = [];
  const command = agentCommand({
    ...files.paths,
    agent: { kind: "classic", path },
    attestationUrl: new URL(attestation.url),
    environment: { ...Deno.env.toObject(), TZ: "UTC" },
  });
  await using agent = startAgent({ command, dialect: "classic" }, denoWorld(quietLog), {
    signal: new AbortController().signal,
    port,
    readyTimeout: 10_000,
    timeout: 20_000,
    phases: { dialIn: 5_000, attestation: 5_000, transferIdle: 5_000, ...options.phases },
    deviceAddress: "127.0.0.1",
    killGrace: 300,
    onEvent: (sign) => signs.push(sign),
  });
  const ready = await agent.ready.then(() => "ready", (error) => error.code);
  await using device = await startDevice({
    agentPort: port,
    expectedImage: image,
    behaviour: options.device ?? {},
  });
  if (ready === "ready") {
    const reply = await fetch(`http://${device.endpoint}/update`, { method: "POST", body: "ip: 127.0.0.1" });
    await reply.body?.cancel();
  }
  const verdict = await agent.verdict;
  if (verdict.kind === "delivered" && ready === "ready") await device.until("ota ended");
  return { verdict, ready, flash: device.flash, signs, environment: await environmentOf(path) };
}

const codeOf = (verdict: AgentVerdict): string => verdict.kind === "delivered" ? "delivered" : verdict.code;

const TABLE: Readonly<Record<string, readonly [options: Case, verdict: string, ready?: string]>> = {
  "as it should be": [{}, "delivered"],
  "garbage output": [{ agent: "garbage output" }, "delivered"],
  "attestation 401": [{ attestation: "401" }, "attestation-refused"],
  "attestation down": [{ attestation: "down" }, "attestation-unavailable"],
  "attestation hangs": [{ attestation: "hang", phases: { attestation: 600 } }, "attestation-unavailable"],
  "not verified": [{ agent: "not verified" }, "attestation-unavailable"],
  "nobody dials": [{ device: { dials: "never" }, phases: { dialIn: 300 } }, "never-dialled"],
  "device refuses the certificate": [{ device: { wrongPin: true }, phases: { dialIn: 600 } }, "tls-refused"],
  "dies mid-transfer": [{ agent: "dies mid-transfer" }, "died"],
  "exits at once": [{ agent: "exits at once" }, "unproven", "exited-early"],
  "port in use": [{ agent: "port in use" }, "listen-failed", "exited-early"],
  "ignores SIGTERM": [
    { agent: "ignores SIGTERM", device: { dials: "never" }, phases: { dialIn: 300 } },
    "never-dialled",
  ],
  "never exits": [{ agent: "lingers", phases: { transferIdle: 400 } }, "transfer-broken"],
};

for (const [name, [options, expected, ready = "ready"]] of Object.entries(TABLE)) {
  Deno.test(`startAgent: classic agent, ${name}: ${expected}`, async () => {
    const result = await run(options);
    assertEquals([codeOf(result.verdict), result.ready], [expected, ready], JSON.stringify(result.verdict));
    if (expected === "delivered") assert(Buffer.from(result.flash).equals(image));
    if (expected.startsWith("attestation")) assertEquals(result.flash.length, 0);
  });
}

Deno.test("startAgent: the classic agent's environment is the four variables and the allow-list", async () => {
  const { environment, signs } = await run({});
  const names = ["DICE_AUTH_URL", "NEW_FIRMWARE_PATH", "SERVER_CRT_PATH", "SERVER_KEY_PATH"];
  const allowed = ["LANG", "PATH", "TZ"].filter((name) => name === "TZ" || Deno.env.has(name));
  assertEquals(Object.keys(environment).sort(), [...names, ...allowed].sort());
  assertEquals(signs.findLast(({ kind }) => kind === "sending")?.percent, 100);
});
