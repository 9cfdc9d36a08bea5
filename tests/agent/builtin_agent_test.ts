import { assert, assertEquals } from "@std/assert";
import { agentCommand } from "../../src/agent/agent_command.ts";
import { startAgent } from "../../src/agent/agent_process.ts";
import type { AgentSign } from "../../src/agent/agent_transcript.ts";
import { denoWorld } from "../../src/deno_world.ts";
import { buildEspApp, sha256 } from "../builders/esp_image.ts";
import { startAttestation } from "../lab/attestation.ts";
import { startDevice } from "../lab/device.ts";
import { quietLog } from "../ota_agent/agent_run.ts";
import { agentFiles } from "./agent_files.ts";

/** With every permission, and with those of the compiled program, which may not read the kernel's table. */
const PERMISSIONS = [["-A"], ["--allow-net", "--allow-read", "--allow-env"]];

for (const permissions of PERMISSIONS) {
  Deno.test(`startAgent: the built-in agent as a process with ${permissions.join(" ")} delivers by its receipt`, async () => {
    const image = buildEspApp({ version: "0.2.0", size: 100_000 });
    await using attestation = startAttestation();
    await using files = await agentFiles(image);
    const command = agentCommand({
      ...files.paths,
      attestationUrl: new URL(attestation.url),
      environment: Deno.env.toObject(),
      agent: {
        kind: "builtin",
        program: Deno.execPath(),
        programArgs: [
          "run",
          ...permissions,
          "--no-prompt",
          new URL("own_agent.ts", import.meta.url).pathname,
        ],
        flags: {
          port: 0,
          dialInTimeout: 20_000,
          redialTimeout: 5_000,
          attestationTimeout: 2_000,
          transferIdleTimeout: 2_000,
          timeout: 60_000,
          verifyIdentity: "auto",
        },
      },
    });
    const signs: AgentSign[] = [];
    await using agent = startAgent({ command, dialect: "builtin" }, denoWorld(quietLog), {
      signal: new AbortController().signal,
      port: 0,
      readyTimeout: 20_000,
      timeout: 40_000,
      phases: { dialIn: 20_000, attestation: 5_000, transferIdle: 5_000 },
      onEvent: (sign) => signs.push(sign),
    });
    await agent.ready;
    const { detail = "" } = signs.find(({ kind }) => kind === "listening") ?? {};
    const port = Number(/^listening on port (\d+)$/.exec(detail)?.[1]);
    await using device = await startDevice({ agentPort: port, expectedImage: image });
    const reply = await fetch(`http://${device.endpoint}/update`, { method: "POST", body: "ip: 127.0.0.1" });
    await reply.body?.cancel();
    const verdict = await agent.verdict;
    assert(verdict.kind === "delivered", JSON.stringify(verdict));
    assertEquals(verdict.receipt, true);
    assertEquals(verdict.sha256, sha256(image).toHex());
    assertEquals(device.flash, image);
  });
}
