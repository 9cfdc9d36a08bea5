import type { InfoReading } from "./device_client.ts";

/**
 * What the looks at `/info` prove about an update. Columns: what `/info` said before, whether a restart was seen
 * afterwards, what it says now, whether the image's own version is known and how it compares.
 *
 * | before | restart | now | image version | verdict |
 * |---|---|---|---|---|
 * | any | any | another device type | any | `other-device` |
 * | version B | any | version A, A is wanted, A differs from B | known or hinted | `confirmed-new` |
 * | version B | any | version A differs from B | nothing to compare | `confirmed-new` |
 * | version B | any | version A, neither B nor wanted | known or hinted | `unexpected-version` |
 * | version B | seen | B | the image is B | `confirmed-same` |
 * | version B | seen | B | known or hinted, not B | `rolled-back` |
 * | version B | seen | B | unknown, hint absent or B | `unconfirmable` |
 * | version B | not seen | B | any | `rejected` |
 * | no /info | any | version A is wanted | known or hinted | `confirmed-new` |
 * | no /info | any | version A is not wanted | known or hinted | `unexpected-version` |
 * | no /info | any | version A | nothing to compare | `unconfirmable` |
 * | no /info | not seen | no /info | any | `rejected` |
 * | no /info | seen | no /info | any | `unconfirmable` |
 * | silent | seen | version A is the image's | known | `confirmed-same` |
 * | silent | seen | version A is not wanted | known or hinted | `unexpected-version` |
 * | silent | any other | anything but silence | any | `unconfirmable` |
 * | version B | seen | /info without a version | any | `unconfirmable` |
 * | any | seen | silence | any | `not-returned` |
 *
 * A hint (VERSION) may be the device's current version, so it never proves that an unchanged device was updated.
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
  const { before, now, restarted } = facts;
  if (now.kind === "silent") return "not-returned";
  const type = now.kind === "info" ? now.info.device : undefined;
  if (type !== undefined && !facts.sameDevice(type, facts.device)) return "other-device";
  const version = now.kind === "info" ? now.info.version : undefined;
  if (version === undefined) return !restarted && before.kind !== "silent" ? "rejected" : "unconfirmable";

  const isImage = facts.imageVersion !== undefined && sameVersion(version, facts.imageVersion);
  const isHinted = facts.hint !== undefined && sameVersion(version, facts.hint);
  const wantedKnown = facts.imageVersion !== undefined || facts.hint !== undefined;
  if (before.kind === "silent") {
    if (restarted && isImage) return "confirmed-same";
    return restarted && wantedKnown && !isHinted ? "unexpected-version" : "unconfirmable";
  }
  const old = before.kind === "info" ? before.info.version : undefined;
  if (old === undefined) {
    if (isImage || isHinted) {
      return before.kind === "absent" ? "confirmed-new" : restarted ? "confirmed-same" : "rejected";
    }
    return wantedKnown ? "unexpected-version" : "unconfirmable";
  }
  if (!sameVersion(version, old)) {
    return isImage || isHinted || !wantedKnown ? "confirmed-new" : "unexpected-version";
  }
  if (!restarted) return "rejected";
  if (isImage) return "confirmed-same";
  return facts.imageVersion === undefined && (facts.hint === undefined || isHinted)
    ? "unconfirmable"
    : "rolled-back";
}

/** Versions are the same when they differ at most by a leading `v`. */
export function sameVersion(left: string, right: string): boolean {
  return left.replace(/^v(?=\d)/i, "") === right.replace(/^v(?=\d)/i, "");
}
