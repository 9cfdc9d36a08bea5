/**
 * External agents whose exit status, words or end say more than is true: each is a failure of the job.
 *
 * @module
 */

import type { Outcome } from "../../src/job/job_outcome.ts";
import { writeClassicAgent } from "../lab/classic_agent.ts";
import type { ClassicAgentBehaviour } from "../lab/classic_agent_behaviour.ts";
import type { DeviceBehaviour } from "../lab/device_behaviour.ts";
import { startLab } from "../lab/lab_world.ts";
import { writeProgram } from "./external_agent.ts";
import { assertFailed, assertNotUpdated, assertUndisturbed, runLabJob } from "./lab_job.ts";

interface Liar {
  readonly behaviour: ClassicAgentBehaviour;
  readonly outcome: Outcome;
  readonly cause: RegExp;
  readonly device?: DeviceBehaviour;
}

const liars: readonly Liar[] = [
  {
    // It never asked: that it says so of a device the server did not refuse is no refusal of the server's.
    behaviour: "not verified",
    outcome: "attestation-unavailable",
    cause: /the agent said 'Not verified device'/,
  },
  { behaviour: "dies by a signal", outcome: "agent-failed", cause: /ended by SIGSEGV/ },
  { behaviour: "dies mid-transfer", outcome: "agent-failed", cause: /ended by SIGKILL/ },
  // It says 'Firmware sent to IoT' when the system holds what the device has not taken.
  {
    behaviour: "faithful",
    outcome: "transfer-broken",
    cause: /./,
    device: { transfer: { fraction: 0.5, then: "stall" }, receiveWindow: 5760 },
  },
];

for (const { behaviour, outcome, cause, device } of liars) {
  Deno.test(`flashjob: a classic agent that is '${behaviour}'${device ? " with a broken device" : ""} is ${outcome}`, async () => {
    await using lab = await startLab({
      size: 2_000_000,
      ...(device === undefined ? {} : { behaviour: device }),
    });
    const path = await writeClassicAgent(lab.directory, {
      port: lab.agentPort,
      timeScale: 1 / 10,
      behaviour,
    });
    const run = await runLabJob(lab, {
      // The agent's word must not be enough, even where nobody looks at the device afterwards.
      args: ["--output", "json", "--confirm", "off"],
      environment: { OTA_AGENT_PATH: path },
    });
    assertFailed(run, { outcome, cause });
    assertNotUpdated(lab);
  });
}

const SUCCESS = [
  "Verified device",
  "Attemting to send the firmware..",
  "Firmware sent to IoT",
  "`apply_ota()` returned",
];

interface Pretender {
  readonly name: string;
  /** What it prints once the device has connected. */
  readonly says: readonly string[];
  /** How it ends then. */
  readonly end: string;
  readonly outcome: Outcome;
  readonly cause: RegExp;
}

/** They listen as a true agent does, and close the connection of the device without a byte. */
const pretenders: readonly Pretender[] = [
  {
    name: "prints 'Not verified device' and exits 0",
    says: ["Not verified device"],
    end: "Deno.exit(0)",
    outcome: "attestation-unavailable",
    cause: /'Not verified device'/,
  },
  {
    name: "prints that the server refused, 'Not verified device', and exits 0",
    says: ['{"status": "Certificate Invalid"}', "Not verified device"],
    end: "Deno.exit(0)",
    outcome: "attestation-refused",
    cause: /the agent said '\{"status": "Certificate Invalid"\}'/,
  },
  {
    name: "prints nothing and exits 0",
    says: [],
    end: "Deno.exit(0)",
    outcome: "transfer-broken",
    cause: /status 0 and without 'Verified device'/,
  },
  {
    name: "prints success and exits 3",
    says: SUCCESS,
    end: "Deno.exit(3)",
    outcome: "agent-failed",
    cause: /status 3/,
  },
  {
    name: "prints success and dies by a signal",
    says: SUCCESS,
    end: 'Deno.kill(Deno.pid, "SIGKILL")',
    outcome: "agent-failed",
    cause: /ended by SIGKILL/,
  },
  {
    name: "prints success and has sent nothing",
    says: SUCCESS,
    end: "Deno.exit(0)",
    outcome: "not-confirmed",
    cause: /it did not restart, and nothing proves that it got the whole image/,
  },
  {
    name: "prints success and has sent nothing to a device without /info",
    says: SUCCESS,
    end: "Deno.exit(0)",
    outcome: "not-confirmed",
    cause: /it did not restart, and nothing proves that it got the whole image/,
  },
];

for (const { name, says, end, outcome, cause } of pretenders) {
  Deno.test(`flashjob: an agent that ${name} is ${outcome}`, async () => {
    await using lab = await startLab(name.includes("/info") ? { behaviour: { info: "absent" } } : {});
    const program = `const listener = Deno.listen({ hostname: "0.0.0.0", port: ${lab.agentPort} });
(await listener.accept()).close();
for (const line of ${JSON.stringify(says)}) console.log(line);
${end};
`;
    const path = await writeProgram(lab.directory, program);
    const run = await runLabJob(lab, {
      args: ["--output", "json", "--confirm-timeout", "3s"],
      environment: { OTA_AGENT_PATH: path },
    });
    assertFailed(run, { outcome, cause });
    assertNotUpdated(lab);
  });
}

Deno.test("flashjob: an agent that ends before it listens never lets the device be asked", async () => {
  await using lab = await startLab();
  for (const behaviour of ["exits at once", "claims success", "port in use"] as const) {
    const path = await writeClassicAgent(lab.directory, { port: lab.agentPort, behaviour });
    const run = await runLabJob(lab, { args: ["--output", "json"], environment: { OTA_AGENT_PATH: path } });
    assertFailed(run, { outcome: "agent-failed", cause: /agent/ });
    assertUndisturbed(lab);
  }
});

Deno.test("flashjob: an agent that ignores SIGTERM does not outlive the job", async () => {
  await using lab = await startLab({ behaviour: { dials: "never" } });
  const path = await writeClassicAgent(lab.directory, { port: lab.agentPort, behaviour: "ignores SIGTERM" });
  const run = await runLabJob(lab, {
    args: ["--output", "json", "--dial-in-timeout", "1s"],
    environment: { OTA_AGENT_PATH: path },
  });
  assertFailed(run, { outcome: "device-never-dialled", cause: /was told to dial/ });
  assertNotUpdated(lab);
});
