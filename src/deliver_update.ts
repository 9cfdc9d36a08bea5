import { agentCommand, type AgentCommandSettings } from "./agent/agent_command.ts";
import { AgentError } from "./agent/agent_error.ts";
import { type AgentProcess, startAgent } from "./agent/agent_process.ts";
import type { AgentSign, AgentVerdict, AgentVerdictCode } from "./agent/agent_transcript.ts";
import { undeliveredBytes } from "./agent/port_watch.ts";
import { type TcpSocket, tcpSockets } from "./tcp_table.ts";
import { AttemptMarker } from "./device/attempt_marker.ts";
import { within } from "./deadline.ts";
import { formatDeviceAddress } from "./device/device_address.ts";
import { type DeviceClient, faultText } from "./device/device_client.ts";
import { DeviceError } from "./device/device_error.ts";
import { isDottedIpv4 } from "./device/update_request.ts";
import type { FirmwareFile } from "./firmware/firmware_file.ts";
import type { DeviceIdentity } from "./identify_device.ts";
import { AGENT_OUTCOMES } from "./job/agent_outcomes.ts";
import type { Job } from "./job/job.ts";
import { JobFailure, type Outcome } from "./job/job_outcome.ts";
import { retry, type RetryDecision } from "./retry.ts";
import { sideBySide } from "./side_by_side.ts";
import { untilAborted } from "./until_aborted.ts";

/** What is to be delivered, and to whom. */
export interface DeliverInput {
  /** The HTTP side of the device. */
  readonly device: DeviceClient;
  /** The verified firmware. */
  readonly file: FirmwareFile;
  /** The device's certificate, when it showed one ahead of time. */
  readonly identity: DeviceIdentity | undefined;
}

/** What the agent proved. */
export interface Delivery {
  /** True when the device was seen to take every byte. */
  readonly receipt: boolean;
}

/**
 * Starts the agent, waits until it listens, asks the device once to update, and waits for the agent's verdict.
 *
 * Nothing is posted unless the agent listens. Throws {@linkcode JobFailure} or `DeviceError`; the agent has ended when
 * this returns or throws.
 */
export async function deliverUpdate(job: Job, input: DeliverInput, signal: AbortSignal): Promise<Delivery> {
  const { config, record } = job;
  const agentIp = config.agentIp ?? await findAgentIp(job, signal);
  const announced = `${agentIp}:${config.agentPort}`;
  record.facts.transfer = { agent: job.agent.kind === "builtin" ? "builtin" : job.agent.path, announced };
  const marker = new AttemptMarker(
    config.host,
    job.world,
    config.pull.registry.environment["XDG_RUNTIME_DIR"],
  );
  await marker.demandFree();
  await using agent = start(job, input, signal);
  await record.phase("ready", () => whenReady(agent));
  await marker.set();
  const [, verdict] = await record.phase("deliver", () =>
    sideBySide(signal, [
      (signal) => askDevice(job, input.device, { agentIp, announced, signal }),
      (signal) => untilDelivered(agent, announced, signal),
    ])).catch(async (error) => {
      if (isDeviceDone(error)) await marker.clear();
      throw error;
    });
  await marker.clear();
  const receipt = verdict.receipt || await isDrained(job, signal);
  record.facts.transfer = {
    ...record.facts.transfer,
    receipt,
    ...(verdict.bytes === undefined ? {} : { bytes: verdict.bytes }),
  };
  return { receipt };
}

/** After these failures the device is not at it any more: it refused, or its one attempt ended. */
function isDeviceDone(error: unknown): boolean {
  return error instanceof DeviceError || (error instanceof JobFailure && error.code === "transfer-broken");
}

/** What to do where no address can be found. */
const GIVE_AGENT_IP = "give the address that the device can reach with --agent-ip or EXTERNAL_IP";

/** The local address that routes to the device. */
async function findAgentIp(job: Job, signal: AbortSignal): Promise<string> {
  const { clock } = job.world;
  const address = await retry(() => addressTowardsDevice(job, signal), againWhenUnreached, { clock, signal });
  if (!isDottedIpv4(address)) {
    throw new JobFailure(
      "configuration",
      `Cannot announce '${address}': the device understands only IPv4, ${GIVE_AGENT_IP}`,
    );
  }
  job.world.log.info("The device is told to dial the address that routes to it", { address });
  return address;
}

async function addressTowardsDevice({ config, world }: Job, signal: AbortSignal): Promise<string> {
  const { host, timeouts } = config;
  const bounds = { clock: world.clock, milliseconds: timeouts.device, signal, what: "the device" };
  try {
    return await within(bounds, (signal) => world.localAddressTowards(host.hostname, host.port, signal));
  } catch (cause) {
    signal.throwIfAborted();
    throw new DeviceError(
      "unreachable",
      `Cannot connect to '${formatDeviceAddress(host)}' to see which of our addresses it can reach: ` +
        `${faultText(cause)}, wanted a device that answers`,
      { cause },
    );
  }
}

function start(job: Job, input: DeliverInput, signal: AbortSignal): AgentProcess {
  const { config, world } = job;
  const { timeouts } = config;
  const command = agentCommand({
    agent: agentProgram(job, input.identity),
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
    ...deviceAddress(config.host.hostname),
    onEvent: (sign) => showProgress(job, input.file.size, sign),
  });
}

function agentProgram(job: Job, identity: DeviceIdentity | undefined): AgentCommandSettings["agent"] {
  const { config, self } = job;
  if (job.agent.kind === "classic") return job.agent;
  const { deviceAddress: expectAddress } = deviceAddress(config.host.hostname);
  return {
    kind: "builtin",
    program: self.path,
    programArgs: self.args,
    flags: {
      port: config.agentPort,
      dialInTimeout: config.timeouts.dialIn,
      attestationTimeout: config.timeouts.attestation,
      transferIdleTimeout: config.timeouts.transferIdle,
      timeout: config.timeouts.job,
      verifyIdentity: config.verifyIdentity,
      ...(expectAddress === undefined ? {} : { expectAddress }),
      ...(identity === undefined ? {} : {
        expectCertificate: identity.certificateSha256,
        attestedAhead: { certificateSha256: identity.certificateSha256, at: identity.attestedAt },
      }),
    },
  };
}

/** A device that is known by name dials from an address that we do not know. */
function deviceAddress(hostname: string): { readonly deviceAddress?: string } {
  return isDottedIpv4(hostname) ? { deviceAddress: hostname } : {};
}

async function whenReady(agent: AgentProcess): Promise<void> {
  try {
    await agent.ready;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    // The verdict knows more than "it ended early" when the agent said why.
    const verdict = await agent.verdict;
    const why = verdict.kind === "failed" && verdict.code !== "died" ? verdict.message : error.message;
    throw new JobFailure("agent-failed", why, { cause: error });
  }
}

/** Pauses before the device is asked again, in milliseconds: it may be starting. */
const ASK_AGAIN = [500, 1000, 2000];

/** Only a request that cannot have arrived is sent again: a second update beside the first would spoil both. */
function againWhenUnreached(attempt: number, failure: unknown): RetryDecision {
  const pause = ASK_AGAIN[attempt - 1];
  const isUnreached = failure instanceof DeviceError && failure.code === "unreachable";
  return isUnreached && pause !== undefined ? { retryAfter: pause } : "stop";
}

async function askDevice(
  job: Job,
  device: DeviceClient,
  { agentIp, announced, signal }: { agentIp: string; announced: string; signal: AbortSignal },
): Promise<void> {
  const log = job.world.log.room("device");
  log.info("Asking the device to update", { announced });
  const { clock } = job.world;
  const reply = await retry(() => device.requestUpdate(agentIp, signal), againWhenUnreached, {
    clock,
    signal,
  });
  if (reply.kind === "accepted") log.info("The device accepts", { reply: reply.text });
  else job.warn(`The device did not answer the update request (${reply.found}); it may dial all the same`);
}

const OUTCOMES_OF_VERDICTS: Record<AgentVerdictCode, Outcome> = {
  ...AGENT_OUTCOMES,
  "misconfigured": "agent-failed",
  "died": "agent-failed",
  "unproven": "transfer-broken",
  "deadline": "deadline",
};

async function untilDelivered(
  agent: AgentProcess,
  announced: string,
  signal: AbortSignal,
): Promise<Extract<AgentVerdict, { kind: "delivered" }>> {
  const verdict = await untilAborted(agent.verdict, signal);
  if (verdict.kind === "delivered") return verdict;
  // Stopped because the job is: the job's own reason says more.
  if (verdict.code === "stopped") signal.throwIfAborted();
  const where = verdict.code === "never-dialled"
    ? `${verdict.message}; the device was told to dial ${announced}`
    : verdict.message;
  throw new JobFailure(OUTCOMES_OF_VERDICTS[verdict.code], where);
}

/** Between two looks at what the kernel still holds: an orderly close stands there only until the device says goodbye. */
const DRAIN_INTERVAL = 20;

/** States in which the peer has acknowledged every byte and our close: a reset leaves none of them. */
const CLOSED_IN_ORDER: ReadonlySet<TcpSocket["state"]> = new Set(["fin-wait-2", "time-wait"]);

/**
 * A classic agent ends long before the device has everything: what the kernel holds is lost when the pod ends. Waits
 * until nothing is left. True when the kernel shows that the connection was closed in order after the last byte, false
 * when it cannot tell. Throws {@linkcode JobFailure} `transfer-broken` when the device takes nothing any more.
 */
async function isDrained(job: Job, signal: AbortSignal): Promise<boolean> {
  const { clock } = job.world;
  const { agentPort, timeouts } = job.config;
  let least = Infinity;
  let movedAt = clock.now();
  for (;;) {
    const left = await undeliveredBytes(agentPort, job.world);
    if (left === undefined) return await isDrainedBlindly(job, signal);
    if (left === 0) return await isClosedInOrder(job);
    if (left < least) [least, movedAt] = [left, clock.now()];
    if (clock.now() - movedAt > timeouts.transferIdle) {
      throw new JobFailure(
        "transfer-broken",
        `Cannot deliver the last ${left} bytes: the device took none for ${timeouts.transferIdle} ms`,
      );
    }
    await clock.sleep(DRAIN_INTERVAL, signal);
  }
}

/** Where the kernel does not tell, time must do, unless the watch that follows takes its time anyway. */
async function isDrainedBlindly({ config, world }: Job, signal: AbortSignal): Promise<false> {
  if (config.confirm === "off") await world.clock.sleep(config.timeouts.transferIdle, signal);
  return false;
}

async function isClosedInOrder({ config, world }: Job): Promise<boolean> {
  const sockets = await tcpSockets(world.files) ?? [];
  return sockets.some((socket) => socket.localPort === config.agentPort && CLOSED_IN_ORDER.has(socket.state));
}

function showProgress(job: Job, totalBytes: number, sign: AgentSign): void {
  if (sign.percent === undefined) return;
  job.onProgress({ step: "Sending", doneBytes: Math.round(totalBytes * sign.percent / 100), totalBytes });
}
