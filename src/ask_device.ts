import type { DeviceClient } from "./device/device_client.ts";
import { DeviceError } from "./device/device_error.ts";
import type { Job } from "./job/job.ts";
import { retry, type RetryDecision } from "./retry.ts";

/** Pauses before the device is asked again, in milliseconds: it may be starting. */
const ASK_AGAIN = [500, 1000, 2000];

/** Only a request that cannot have arrived is sent again: a second update beside the first would spoil both. */
export function againWhenUnreached(attempt: number, failure: unknown): RetryDecision {
  const pause = ASK_AGAIN[attempt - 1];
  const isUnreached = failure instanceof DeviceError && failure.code === "unreachable";
  return isUnreached && pause !== undefined ? { retryAfter: pause } : "stop";
}

/**
 * Asks the device once to update and to dial `agentIp`. Resolves to what was found instead of an answer, if there was
 * none: it may dial all the same. Throws `DeviceError`.
 */
export async function askDevice(
  job: Job,
  device: DeviceClient,
  { agentIp, signal }: { readonly agentIp: string; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const log = job.world.log.room("device");
  log.info("Asking the device to update", { announced: agentIp });
  const { clock } = job.world;
  const reply = await retry(() => device.requestUpdate(agentIp, signal), againWhenUnreached, {
    clock,
    signal,
  });
  if (reply.kind === "accepted") {
    log.info("The device accepts", { reply: reply.text });
    return undefined;
  }
  job.warn(`The device did not answer the update request (${reply.found}); it may dial all the same`);
  return reply.found;
}
