import type { InfoReading } from "./device_client.ts";

/**
 * What the looks at `/info` prove about an update. Columns: what `/info` said before, whether a restart was seen
 * afterwards, what it says now, and how that compares with the version in the image and with the hint.
 *
 * | before | restart | now | wanted | verdict |
 * |---|---|---|---|---|
 * | any | any | silence | any | `not-returned` |
 * | any | any | another device type | any | `other-device` |
 * | version B | any | version A, not B | A is wanted, or nothing is known | `confirmed-new` |
 * | version B | any | version A, not B | A is not wanted | `unexpected-version` |
 * | any | not seen | any | any | `rejected` |
 * | any | seen | no version | any | `unconfirmable` |
 * | any | seen | version A | the image is A | `confirmed-same` |
 * | version B | seen | B again | any | `rolled-back` |
 * | no version | seen | version A | A is not wanted | `unexpected-version` |
 * | no version | seen | version A | any | `unconfirmable` |
 *
 * The first row that fits decides; a version is wanted when the image or the hint has it.
 * "No version" before is a device that kept silent, has no `/info`, or had it cut: it may have run A all the time, so
 * only a restart tells that something happened. A hint (VERSION) may be the device's current version, so it never
 * proves that an unchanged device was updated.
 */
export type ConfirmationVerdict =
  | "confirmed-new"
  | "confirmed-same"
  | "rejected"
  | "rolled-back"
  | "unexpected-version"
  | "other-device"
  | "not-returned"
  | "unconfirmable";

/** Everything the verdict rests on. */
export interface ConfirmationFacts {
  /** The look before anything was sent. */
  readonly before: InfoReading;
  /** True when the device was seen to be gone after the transfer. */
  readonly restarted: boolean;
  /** The newest look after the transfer. */
  readonly now: InfoReading;
  /** The version in the image's application descriptor, when it has one. */
  readonly imageVersion?: string | undefined;
  /** VERSION or --expect-version: a hint. */
  readonly hint?: string | undefined;
  /** True when both names are the same kind of device. */
  readonly sameDevice: (left: string, right: string) => boolean;
  /** The chip the image was chosen for. */
  readonly device: string;
}

/** Judges what was seen; see {@linkcode ConfirmationVerdict} for the table it follows. Pure. */
export function judgeConfirmation(facts: ConfirmationFacts): ConfirmationVerdict {
  const { before, now, restarted, imageVersion, hint } = facts;
  if (now.kind === "silent") return "not-returned";
  const { device, version } = now.kind === "info" ? now.info : {};
  if (device !== undefined && !facts.sameDevice(device, facts.device)) return "other-device";

  const isImage = imageVersion !== undefined && version !== undefined && sameVersion(version, imageVersion);
  const isHinted = hint !== undefined && version !== undefined && sameVersion(version, hint);
  const isUnwanted = !isImage && !isHinted && (imageVersion !== undefined || hint !== undefined);
  const old = before.kind === "info" ? before.info.version : undefined;
  if (version !== undefined && old !== undefined && !sameVersion(version, old)) {
    return isUnwanted ? "unexpected-version" : "confirmed-new";
  }
  // No change was seen: from here on, what did not restart did not take the firmware.
  if (!restarted) return "rejected";
  if (version === undefined) return "unconfirmable";
  if (isImage) return "confirmed-same";
  if (old !== undefined) return "rolled-back";
  return isUnwanted ? "unexpected-version" : "unconfirmable";
}

/** Versions are the same when they differ at most by a leading `v`. */
export function sameVersion(left: string, right: string): boolean {
  return left.replace(/^v(?=\d)/i, "") === right.replace(/^v(?=\d)/i, "");
}
