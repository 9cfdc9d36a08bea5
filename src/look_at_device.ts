import { formatDeviceAddress } from "./device/device_address.ts";
import type { DeviceClient, InfoReading } from "./device/device_client.ts";
import { isSameDevice } from "./image/device_name.ts";
import type { Job } from "./job/job.ts";
import { JobFailure } from "./job/job_outcome.ts";

/**
 * `GET /info`. Throws {@linkcode JobFailure} `wrong-target` for a device of another kind; one without `/info` is only
 * worth a warning.
 */
export async function lookAtDevice(
  job: Job,
  device: DeviceClient,
  signal: AbortSignal,
): Promise<InfoReading> {
  const { config, record } = job;
  const reading = await record.phase("look", () => device.readInfo(signal));
  if (reading.kind !== "info") {
    job.warn(
      `The device at ${formatDeviceAddress(config.host)} tells nothing of itself in /info: ${reading.found}`,
    );
    return reading;
  }
  const { device: chip, version, application } = reading.info;
  job.world.log.room("device").info("The device answers", { device: chip, application, version });
  if (chip !== undefined && !isSameDevice(chip, config.pull.device)) {
    throw new JobFailure(
      "wrong-target",
      `Cannot update the device at ${
        formatDeviceAddress(config.host)
      }: it is '${chip}', wanted '${config.pull.device}'`,
    );
  }
  if (version !== undefined && record.facts.device !== undefined) {
    record.facts.device = { ...record.facts.device, before: version };
  }
  return reading;
}
