import type { Delivery } from "./deliver_update.ts";
import type { ConfirmationVerdict } from "./device/confirmation.ts";
import { type Confirmation, watchReturn } from "./device/confirmation_watch.ts";
import { formatDeviceAddress } from "./device/device_address.ts";
import { DeviceClient, type InfoReading } from "./device/device_client.ts";
import { UptimeWitness } from "./device/uptime_witness.ts";
import { isSameDevice } from "./image/device_name.ts";
import type { Job } from "./job/job.ts";
import { JobFailure, type Outcome } from "./job/job_outcome.ts";
import type { Ending } from "./job/job_record.ts";
import type { HttpClient } from "./world.ts";

/** What the confirmation compares. */
export interface ConfirmInput {
  /** Reaches the device. */
  readonly http: HttpClient;
  /** Holds a connection to the device from before it can have restarted, as far as one could be opened. */
  readonly witness: UptimeWitness;
  /** The look before anything was sent. */
  readonly before: InfoReading;
  /** What the agent proved. */
  readonly delivery: Delivery;
  /** The version in the image's application descriptor. */
  readonly imageVersion: string | undefined;
}

/** Watches the device through its restart and turns what is seen into the ending of the job. */
export async function confirmUpdate(job: Job, input: ConfirmInput, signal: AbortSignal): Promise<Ending> {
  const { config } = job;
  if (config.confirm === "off") return withoutConfirmation(job, input.delivery);
  const confirmation = await job.record.phase("confirm", () => watch(job, input, signal));
  if (isThrough(confirmation.verdict, input.delivery)) await input.delivery.settle();
  job.record.facts.confirmation = { verdict: confirmation.verdict, restarted: confirmation.restarted };
  const after = confirmation.now.kind === "info" ? confirmation.now.info.version : undefined;
  if (after !== undefined && job.record.facts.device !== undefined) {
    job.record.facts.device = { ...job.record.facts.device, after };
  }
  return judge(job, { ...input, confirmation, after });
}

/**
 * Whether the device has ended what it was asked: it has all of the image, or runs another version. What only was away
 * for a while may still be dialling.
 */
function isThrough(verdict: ConfirmationVerdict, { receipt }: Delivery): boolean {
  if (verdict === "not-returned") return false;
  return receipt || verdict === "confirmed-new" || verdict === "unexpected-version";
}

/**
 * `--confirm off`: only what the agent knows counts. A whole transfer is not an installed image, so the report says
 * what nobody looked at.
 */
function withoutConfirmation(job: Job, delivery: Delivery): Ending {
  if (!delivery.receipt) {
    throw new JobFailure(
      "not-confirmed",
      "Cannot prove the update: the agent gives no receipt and --confirm is off",
    );
  }
  job.warn("--confirm off: the device took the whole firmware; whether it runs it was not looked at");
  return {
    outcome: "sent",
    message: "The device took the whole firmware; its restart was not watched",
  };
}

async function watch(job: Job, input: ConfirmInput, signal: AbortSignal): Promise<Confirmation> {
  const { config, world } = job;
  const { clock } = world;
  const log = world.log.room("device");
  const host = config.confirmHost ?? config.host;
  const isElsewhere = formatDeviceAddress(host) !== formatDeviceAddress(config.host);
  // A restart takes some 3 s: two looks must be able to miss the device meanwhile (1.5 s each of the usual 60 s). One
  // that always takes long to answer needs more.
  const usual = input.before.kind === "silent" ? 0 : job.record.duration("look") ?? 0;
  const patience = Math.max(250, config.timeouts.confirm / 40, 2 * usual);
  const timeout = Math.min(config.timeouts.device, patience);
  const device = new DeviceClient(host, { http: input.http, clock, timeout });
  using another = new UptimeWitness(host, { connect: world.connect, clock, timeout });
  const witness = isElsewhere ? another : input.witness;
  log.info(`Watching ${formatDeviceAddress(host)} restart`);
  return await watchReturn(
    {
      before: isElsewhere ? UNKNOWN_BEFORE : input.before,
      imageVersion: input.imageVersion,
      hint: config.expectVersion,
      device: config.pull.device,
      sameDevice: isSameDevice,
    },
    {
      clock,
      signal,
      timeout: config.timeouts.confirm,
      restartDelay: config.timeouts.restartDelay,
      look: (signal) => device.readInfo(signal),
      witness: {
        hold: (signal) => witness.hold(signal),
        wasUp: async (signal) => {
          const wasUp = await witness.wasUp(signal);
          if (wasUp) {
            log.info("The device was up while it was silent: it answers on a connection from before");
          }
          return wasUp;
        },
      },
      onChange(reading, { verdict, stay }) {
        if (reading.kind === "info") {
          log.info("The device answers", { device: reading.info.device, version: reading.info.version });
        } else {
          log.info(reading.kind === "silent" ? "The device is gone" : "The device answers without /info", {
            found: reading.found,
          });
        }
        if (verdict === "confirmed-new" || verdict === "confirmed-same") {
          log.info("Watching whether it stays with that version", { seconds: Math.round(stay / 100) / 10 });
        }
      },
    },
  );
}

/** What stood at another address before was not looked at: whoever answers there must have come up since. */
const UNKNOWN_BEFORE: InfoReading = { kind: "silent", found: "not looked at", sign: "nothing" };

const FAILED: Record<
  Exclude<ConfirmationVerdict, "confirmed-new" | "confirmed-same" | "unconfirmable">,
  Outcome
> = {
  "rejected": "image-rejected",
  "rolled-back": "old-version",
  "unexpected-version": "not-confirmed",
  "other-device": "wrong-device",
  "not-returned": "device-lost",
};

function judge(
  job: Job,
  seen: ConfirmInput & { readonly confirmation: Confirmation; readonly after: string | undefined },
): Ending {
  const { config } = job;
  const { verdict } = seen.confirmation;
  const where = `${config.pull.device} at ${formatDeviceAddress(config.confirmHost ?? config.host)}`;
  const old = seen.before.kind === "info" ? seen.before.info.version : undefined;
  // Only what got all of the image can have found it bad.
  if (verdict === "rejected" && !seen.delivery.receipt) {
    throw new JobFailure(
      "not-confirmed",
      `Cannot confirm the update of ${where}: it did not restart, and nothing proves that it got the whole image`,
    );
  }
  switch (verdict) {
    case "confirmed-new":
      return {
        outcome: "updated",
        message: `Updated ${where} from ${old ?? "an unknown version"} to ${seen.after}`,
      };
    case "confirmed-same":
      // What broke a transfer may also look like a restart, and the version tells nothing here.
      if (!seen.delivery.receipt) {
        throw new JobFailure(
          "not-confirmed",
          `Cannot confirm the update of ${where}: it restarted with version ${seen.after}, which it may have run before, and the agent gives no receipt`,
        );
      }
      return { outcome: "updated", message: `Updated ${where}: it restarted and runs version ${seen.after}` };
    case "unconfirmable": {
      const why = seen.after === undefined ? "it does not tell its version" : "its version proves nothing";
      if (config.confirm === "auto" && seen.delivery.receipt && seen.after === undefined) {
        job.warn(`NOT CONFIRMED: ${where} took the whole firmware and restarted, but ${why}`);
        return { outcome: "updated-unconfirmed", message: `Sent to ${where}, which restarted, but ${why}` };
      }
      throw new JobFailure("not-confirmed", `Cannot confirm the update of ${where}: ${why}`);
    }
    default:
      throw new JobFailure(
        FAILED[verdict],
        `Cannot confirm the update of ${where}: ${REASON[verdict]({ ...seen, old })}`,
      );
  }
}

interface Versions {
  readonly old: string | undefined;
  readonly after: string | undefined;
  readonly imageVersion: string | undefined;
  readonly confirmation: Confirmation;
}

const REASON: Record<keyof typeof FAILED, (versions: Versions) => string> = {
  "rejected": ({ old, after }) => `it did not restart and still runs ${after ?? old ?? "its old firmware"}`,
  "rolled-back": ({ old, imageVersion }) =>
    `it restarted and runs ${old} again, wanted ${imageVersion ?? "another version"}`,
  "unexpected-version": ({ after, imageVersion }) =>
    `it now runs ${after}, wanted ${imageVersion ?? "another version"}`,
  "other-device": ({ confirmation: { now } }) =>
    `a '${now.kind === "info" ? now.info.device : "different device"}' answers there now`,
  "not-returned": ({ confirmation: { now } }) =>
    `it did not come back: ${now.kind === "silent" ? now.found : "silence"}`,
};
