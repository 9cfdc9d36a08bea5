import { compare, tryParse } from "@std/semver";
import { sameVersion } from "./device/confirmation.ts";
import { formatDeviceAddress } from "./device/device_address.ts";
import type { InfoReading } from "./device/device_client.ts";
import type { Job } from "./job/job.ts";
import { JobFailure } from "./job/job_outcome.ts";
import type { Ending } from "./job/job_record.ts";

/**
 * Decides by the versions whether to go on: an ending, or nothing when the update shall be sent. Throws
 * {@linkcode JobFailure} `downgrade-refused`, and in a dry run `device-unreachable`.
 */
export function compareVersions(job: Job, before: InfoReading, next: string | undefined): Ending | undefined {
  const { config } = job;
  const current = before.kind === "info" ? before.info.version : undefined;
  const hint = config.expectVersion;
  if (next !== undefined && hint !== undefined && !sameVersion(next, hint)) {
    job.warn(`The image says it is version ${next}, VERSION or --expect-version says ${hint}`);
  }
  if (current !== undefined && next !== undefined) {
    if (config.skipIfCurrent && sameVersion(current, next)) {
      return { outcome: "already-current", message: `The device already runs version ${current}` };
    }
    if (!config.allowDowngrade && isDowngrade(current, next)) {
      throw new JobFailure(
        "downgrade-refused",
        `Cannot update from ${current} to ${next}: it is older`,
      );
    }
  }
  if (!config.dryRun) return undefined;
  demandReachable(job, before);
  return {
    outcome: "dry-run",
    message: `Version ${next ?? "unknown"} is ready to be sent to the device, which runs ${
      current ?? "an unknown one"
    }`,
  };
}

/** In earnest the request to update would tell; a device that only keeps silent may take it. */
function demandReachable({ config }: Job, before: InfoReading): void {
  if (before.kind !== "silent" || (before.sign !== "refused" && before.sign !== "nothing")) return;
  throw new JobFailure(
    "device-unreachable",
    `Cannot reach the device at '${
      formatDeviceAddress(config.host)
    }': ${before.found}, the update would end here`,
  );
}

/** True when both are semantic versions and `next` is older than `current`. */
function isDowngrade(current: string, next: string): boolean {
  const [from, to] = [current, next].map((version) => tryParse(version.replace(/^v(?=\d)/i, "")));
  return from !== undefined && to !== undefined && compare(to, from) < 0;
}
