import { againWhenUnreached } from "./ask_device.ts";
import { within } from "./deadline.ts";
import { formatDeviceAddress } from "./device/device_address.ts";
import { faultText } from "./device/device_client.ts";
import { DeviceError } from "./device/device_error.ts";
import { isDottedIpv4 } from "./device/update_request.ts";
import type { Job } from "./job/job.ts";
import { JobFailure } from "./job/job_outcome.ts";
import { retry } from "./retry.ts";

/** What to do where no address can be found. */
const GIVE_AGENT_IP = "give the address that the device can reach with --agent-ip or EXTERNAL_IP";

/**
 * The local address that routes to the device, which is told to dial it.
 *
 * Throws `DeviceError` `unreachable` when the device does not answer, {@linkcode JobFailure} `configuration` when it
 * is reached over IPv6.
 */
export async function findAgentIp(job: Job, signal: AbortSignal): Promise<string> {
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
