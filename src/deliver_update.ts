import { askDevice } from "./ask_device.ts";
import { findAgentIp } from "./find_agent_ip.ts";
import { agentCommand, type AgentCommandSettings } from "./agent/agent_command.ts";
import { AgentError } from "./agent/agent_error.ts";
import { type AgentProcess, startAgent } from "./agent/agent_process.ts";
import type {
  AgentSign,
  AgentVerdictCode,
  DeliveredVerdict,
  FailedVerdict,
} from "./agent/agent_transcript.ts";
import { drain, peersOf } from "./agent/drain.ts";
import { AttemptMarker } from "./device/attempt_marker.ts";
import { formatDeviceAddress } from "./device/device_address.ts";
import type { DeviceClient } from "./device/device_client.ts";
import { DeviceError } from "./device/device_error.ts";
import type { UptimeWitness } from "./device/uptime_witness.ts";
import { isDottedIpv4 } from "./device/update_request.ts";
import type { FirmwareFile } from "./firmware/firmware_file.ts";
import type { DeviceIdentity } from "./identify_device.ts";
import { AGENT_OUTCOMES } from "./job/agent_outcomes.ts";
import type { Job } from "./job/job.ts";
import { JobFailure, type Outcome } from "./job/job_outcome.ts";
import { sideBySide } from "./side_by_side.ts";
import { untilAborted } from "./until_aborted.ts";

/** What is to be delivered, and to whom. */
export interface DeliverInput {
  /** The HTTP side of the device. */
  readonly device: DeviceClient;
  /** Told to hold a connection from before the device can restart. */
  readonly witness: UptimeWitness;
  /** The verified firmware. */
  readonly file: FirmwareFile;
  /** The device's certificate, when it showed one ahead of time. */
  readonly identity: DeviceIdentity | undefined;
}

/** What the agent proved. */
export interface Delivery {
  /** True when the device was seen to take every byte. */
  readonly receipt: boolean;
  /** To be called once the device is seen to be through with the update: it may be asked again. */
  readonly settle: () => Promise<void>;
}

/**
 * Starts the agent, waits until it listens, asks the device once to update, and waits for the agent's verdict.
 *
 * Nothing is posted unless the agent listens. Throws {@linkcode JobFailure} or `DeviceError`; the agent has ended when
 * this returns or throws.
 */
export async function deliverUpdate(job: Job, input: DeliverInput, signal: AbortSignal): Promise<Delivery> {
  const { config, record, world } = job;
  const agentIp = config.agentIp ?? await findAgentIp(job, signal);
  const announced = `${agentIp}:${config.agentPort}`;
  record.facts.transfer = { agent: job.agent.kind === "builtin" ? "builtin" : job.agent.path, announced };
  const marker = new AttemptMarker(config.host, world, config.pull.registry.environment["XDG_RUNTIME_DIR"]);
  await marker.demandFree();
  const deviceAddress = demandRecognisable(job, input);
  await using agent = start(job, { ...input, deviceAddress }, signal);
  await record.phase("ready", () => whenReady(agent, signal));
  const earlier = await peersOf(config.agentPort, world);
  await marker.set();
  const verdict = await record.phase("deliver", () => askAndServe(job, { ...input, agent, agentIp }, signal))
    .catch(async (error) => {
      // Only a refusal shows that nothing goes on there: after a broken transfer the device may still dial.
      if (error instanceof DeviceError) await marker.clear();
      throw error;
    });
  demandIntact(job, verdict, input);
  const receipt = verdict.receipt || await isDrained(job, { deviceAddress, earlier }, signal);
  record.facts.transfer = {
    ...record.facts.transfer,
    receipt,
    ...(verdict.bytes === undefined ? {} : { bytes: verdict.bytes }),
  };
  return { receipt, settle: () => marker.clear() };
}

/**
 * The device's address, where it is known. Throws {@linkcode JobFailure} `wrong-device` when recognition is required
 * and nothing is known to recognise it by: it would be turned away after it had been disturbed.
 */
function demandRecognisable({ config }: Job, { device, identity }: DeliverInput): string | undefined {
  const { hostname } = config.host;
  const address = isDottedIpv4(hostname) ? hostname : device.ipv4;
  if (config.verifyIdentity === "require" && identity === undefined && address === undefined) {
    throw new JobFailure(
      "wrong-device",
      `Cannot recognise the device at '${
        formatDeviceAddress(config.host)
      }': it shows no certificate on /onboard ` +
        "and its address is not known, and --verify-identity require needs one of them",
    );
  }
  return address;
}

/** Asks while the agent serves. A reply that comes after the firmware, or never, changes nothing any more. */
async function askAndServe(
  job: Job,
  { device, witness, agent, agentIp }: DeliverInput & {
    readonly agent: AgentProcess;
    readonly agentIp: string;
  },
  signal: AbortSignal,
): Promise<DeliveredVerdict> {
  const served = new AbortController();
  let unanswered: string | undefined;
  const [, verdict] = await sideBySide(signal, [
    async (signal) => {
      const meanwhile = AbortSignal.any([signal, served.signal]);
      try {
        unanswered = await askDevice(job, device, { agentIp, signal: meanwhile });
        if (job.config.confirm !== "off") await witness.hold(meanwhile);
      } catch (error) {
        if (!served.signal.aborted) throw error;
      }
    },
    async (signal) => {
      const verdict = await untilAborted(agent.verdict, signal);
      served.abort();
      if (verdict.kind === "delivered") return verdict;
      // Stopped because the job is: the job's own reason says more.
      if (verdict.code === "stopped") signal.throwIfAborted();
      throw new JobFailure(OUTCOMES_OF_VERDICTS[verdict.code], whyNot(verdict, { agentIp, unanswered }));
    },
  ]);
  return verdict;
}

function whyNot(
  verdict: FailedVerdict,
  { agentIp, unanswered }: { readonly agentIp: string; readonly unanswered: string | undefined },
): string {
  if (verdict.code !== "never-dialled") return verdict.message;
  const asked = unanswered === undefined
    ? `the device was told to dial ${agentIp}`
    : `the device did not answer the request to dial ${agentIp} either (${unanswered})`;
  return `${verdict.message}; ${asked}`;
}

/** What the agent says it sent, and to whom, must be what was verified. */
function demandIntact({ config }: Job, verdict: DeliveredVerdict, { file, identity }: DeliverInput): void {
  const { sha256 = file.sha256, bytes = file.size } = verdict;
  if (sha256 !== file.sha256 || bytes !== file.size) {
    throw new JobFailure(
      "local-io",
      `Cannot rely on the delivery: the agent sent ${bytes} bytes with the SHA-256 ${sha256}, wanted ${file.size} ` +
        `with ${file.sha256}; the file was changed on this machine`,
    );
  }
  const { certificateSha256 } = verdict;
  if (config.verifyIdentity === "off" || identity === undefined || certificateSha256 === undefined) return;
  if (certificateSha256 === identity.certificateSha256) return;
  throw new JobFailure(
    "wrong-device",
    `Cannot rely on the delivery: the agent served the device with the certificate ${certificateSha256}, ` +
      `wanted ${identity.certificateSha256}`,
  );
}

interface AgentInput extends DeliverInput {
  /** The device's IPv4 address, where it is known. */
  readonly deviceAddress: string | undefined;
}

function start(job: Job, input: AgentInput, signal: AbortSignal): AgentProcess {
  const { config, world } = job;
  const { timeouts } = config;
  const command = agentCommand({
    agent: agentProgram(job, input),
    firmwarePath: input.file.path,
    attestationUrl: config.attestationUrl,
    certificatePath: config.serverCertificate,
    keyPath: config.serverKey,
    environment: config.pull.registry.environment,
  });
  return startAgent({ command, dialect: job.agent.kind }, world, {
    signal,
    port: config.agentPort,
    readyTimeout: timeouts.ready,
    timeout: timeouts.job,
    phases: {
      dialIn: timeouts.dialIn,
      attestation: timeouts.attestation,
      transferIdle: timeouts.transferIdle,
    },
    ...(input.deviceAddress === undefined ? {} : { deviceAddress: input.deviceAddress }),
    onEvent: (sign) => showProgress(job, input.file.size, sign),
  });
}

function agentProgram(job: Job, { identity, deviceAddress }: AgentInput): AgentCommandSettings["agent"] {
  const { config, self } = job;
  if (job.agent.kind === "classic") return job.agent;
  return {
    kind: "builtin",
    program: self.path,
    programArgs: self.args,
    flags: {
      port: config.agentPort,
      dialInTimeout: config.timeouts.dialIn,
      redialTimeout: config.timeouts.redial,
      attestationTimeout: config.timeouts.attestation,
      transferIdleTimeout: config.timeouts.transferIdle,
      timeout: config.timeouts.job,
      verifyIdentity: config.verifyIdentity,
      ...(deviceAddress === undefined ? {} : { expectAddress: deviceAddress }),
      ...(identity === undefined ? {} : {
        expectCertificate: identity.certificateSha256,
        attestedAhead: { certificateSha256: identity.certificateSha256, at: identity.attestedAt },
      }),
    },
  };
}

async function whenReady(agent: AgentProcess, signal: AbortSignal): Promise<void> {
  try {
    await untilAborted(agent.ready, signal);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    // The verdict knows more than "it ended early" when the agent said why.
    const verdict = await agent.verdict;
    const why = verdict.kind === "failed" && verdict.code !== "died" ? verdict.message : error.message;
    throw new JobFailure("agent-failed", why, { cause: error });
  }
}

const OUTCOMES_OF_VERDICTS: Record<AgentVerdictCode, Outcome> = {
  ...AGENT_OUTCOMES,
  "misconfigured": "agent-failed",
  "died": "agent-failed",
  "unproven": "transfer-broken",
  "deadline": "deadline",
};

/** True when the kernel shows that the device took the rest that the agent had left to it; false when it cannot tell. */
async function isDrained(
  job: Job,
  { deviceAddress, earlier }: {
    readonly deviceAddress: string | undefined;
    readonly earlier: ReadonlySet<string>;
  },
  signal: AbortSignal,
): Promise<boolean> {
  const { agentPort: port, timeouts: { transferIdle: idleTimeout } } = job.config;
  const end = await drain(job.world, {
    port,
    earlier,
    idleTimeout,
    signal,
    ...(deviceAddress === undefined ? {} : { deviceAddress }),
  });
  if (end.kind === "drained") return end.inOrder;
  if (end.kind === "untold") return await isDrainedBlindly(job, signal);
  throw new JobFailure(
    "transfer-broken",
    `Cannot deliver the last ${end.bytes} bytes: the device took none for ${idleTimeout} ms`,
  );
}

/** Where the kernel does not tell, time must do, unless the watch that follows takes its time anyway. */
async function isDrainedBlindly({ config, world }: Job, signal: AbortSignal): Promise<false> {
  if (config.confirm === "off") await world.clock.sleep(config.timeouts.transferIdle, signal);
  return false;
}

function showProgress(job: Job, totalBytes: number, sign: AgentSign): void {
  if (sign.percent === undefined) return;
  job.onProgress({ step: "Sending", doneBytes: Math.round(totalBytes * sign.percent / 100), totalBytes });
}
