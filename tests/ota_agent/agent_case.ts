import type { AgentEnd, AgentEvent } from "../../src/ota_agent/agent_event.ts";
import { buildEspApp } from "../builders/esp_image.ts";
import { type AttestationOptions, type LabAttestation, startAttestation } from "../lab/attestation.ts";
import { type LabDevice, startDevice } from "../lab/device.ts";
import type { DeviceBehaviour } from "../lab/device_behaviour.ts";
import { type AgentRun, type AgentRunOptions, startOtaAgent } from "./agent_run.ts";

/** One agent, one device, one attestation server. */
export interface AgentCase {
  readonly image?: Uint8Array<ArrayBuffer>;
  readonly behaviour?: DeviceBehaviour;
  readonly attestation?: AttestationOptions;
  readonly settings?: Omit<AgentRunOptions, "image">;
  /** Runs when the agent listens, before the device is told to update. */
  readonly before?: (agent: AgentRun, device: LabDevice) => Promise<void> | void;
  /** Runs when the device was told to update. */
  readonly during?: (agent: AgentRun, device: LabDevice) => Promise<void> | void;
}

/** What a case left behind. */
export interface CaseResult {
  readonly end: AgentEnd;
  readonly events: readonly AgentEvent[];
  /** What the device holds in its slot. */
  readonly flash: Uint8Array;
  readonly image: Uint8Array;
  readonly attestationRequests: LabAttestation["requests"];
}

/** An image that fits the socket buffers on the way, so that handing it over proves nothing. */
export const smallImage = buildEspApp({ version: "0.2.0", size: 500_000 });

/** Tells the device to update and returns how its agent ended. */
export async function runAgentCase(options: AgentCase): Promise<CaseResult> {
  const { image = smallImage, behaviour = {}, settings = {} } = options;
  await using attestation = startAttestation(options.attestation);
  const attestationUrl = new URL(attestation.url);
  await using agent = await startOtaAgent({ image, attestationUrl, ...settings });
  await using device = await startDevice({
    agentPort: await agent.port,
    ...(settings.pair ? { pinned: settings.pair.pinned } : {}),
    expectedImage: image,
    behaviour,
  });
  await options.before?.(agent, device);
  const reply = await fetch(`http://${device.endpoint}/update`, { method: "POST", body: "ip: 127.0.0.1" });
  await reply.body?.cancel();
  await options.during?.(agent, device);
  const end = await agent.end;
  const { events } = agent;
  return { end, events, flash: device.flash, image, attestationRequests: attestation.requests };
}

/** The code of a failure, or `delivered`. */
export function codeOf(end: AgentEnd): string {
  return end.kind === "delivered" ? end.kind : end.code;
}
