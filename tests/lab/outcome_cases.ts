import type { Outcome } from "../../src/job/job_outcome.ts";
import { type AttestationMode, attestationModes } from "./attestation.ts";
import { type DeviceBehaviour, deviceBehaviours } from "./device_behaviour.ts";
import type { LabOptions } from "./lab_world.ts";
import { type StrangerKind, strangerKinds } from "./strangers.ts";

/**
 * Everything that can be wrong outside while a device is updated, and how the job must end then with either agent.
 *
 * @module
 */

/** The two programs that a device may dial. */
export const AGENTS = ["builtin", "classic"] as const;

/** One of {@linkcode AGENTS}. */
export type AgentKind = typeof AGENTS[number];

/** One way in which the outside is. */
export interface OutcomeCase {
  /** Heading in the table. */
  readonly group: string;
  /** Unique in its group. */
  readonly name: string;
  /** How the lab differs from one in which all goes well. */
  readonly lab: LabOptions;
  /** Who comes to the agent's port before the device, which dials only then. */
  readonly stranger?: StrangerKind;
  /** Whether the attestation server takes every certificate for genuine. */
  readonly knowsEveryone?: boolean;
  /** How the job ends; where two endings stand, which one it is hangs on what the kernel still knows. */
  readonly ends: Readonly<Record<AgentKind, readonly Outcome[]>>;
}

const DEVICE = "What the device does";
const VERSION = "Versions that tell nothing, and devices that tell no version";
const ATTESTATION = "What the attestation server does";
const AHEAD = "What the attestation server does, asked only when the device has dialled";
const STRANGER = "Who dials before the device";

/** Both agents end alike. */
function both(outcome: Outcome): OutcomeCase["ends"] {
  return ends(outcome, outcome);
}

function ends(builtin: Outcome, ...classic: Outcome[]): OutcomeCase["ends"] {
  return { builtin: [builtin], classic };
}

/**
 * A device that tells no version, or the same one as before: a restart and a receipt must speak for it. The classic
 * agent gives no receipt, and the kernel remembers an orderly end of its connection only sometimes.
 */
const ONLY_BY_RECEIPT = ends("updated-unconfirmed", "updated-unconfirmed", "not-confirmed");
const SAME_VERSION = ends("updated", "updated", "not-confirmed");

/**
 * The classic agent calls everything sent that the kernel took. Whether the kernel still held bytes when the device broke
 * off is chance: then the transfer is seen to be broken, else that nothing came of it is seen at the device.
 */
const BROKEN_UNSEEN = ends("transfer-broken", "not-confirmed", "transfer-broken");

/** Only with a receipt is it known that the device got what it rejected. */
const REJECTED = ends("image-rejected", "image-rejected", "not-confirmed");

const DEVICE_ENDS: Readonly<Record<string, OutcomeCase["ends"]>> = {
  "ok": both("updated"),
  "already at version": SAME_VERSION,
  "/info cut": ONLY_BY_RECEIPT,
  "/info HTML": ONLY_BY_RECEIPT,
  "/info 500": ONLY_BY_RECEIPT,
  "/info slow": both("updated"),
  "/info silent": both("device-lost"),
  "/info reset": both("device-lost"),
  "/info absent": ONLY_BY_RECEIPT,
  "/onboard absent": both("updated"),
  "/onboard PEM": both("updated"),
  "/onboard 500": both("updated"),
  "/onboard of another device": ends("attestation-refused", "updated"),
  "/update 404": both("update-refused"),
  "/update 405": both("update-refused"),
  "/update 408": both("update-refused"),
  "/update 500": both("update-refused"),
  "/update slow": both("updated"),
  "/update silent": both("updated"),
  "/update closed without an answer": both("updated"),
  "/update reset": both("device-never-dialled"),
  "/update refused": both("device-unreachable"),
  "/update refused at first": both("updated"),
  "insecure reply": both("update-refused"),
  "never dials": both("device-never-dialled"),
  "dials late": both("updated"),
  // Its first connection, which stays silent, takes the only place.
  "dials twice": ends("updated", "device-never-dialled"),
  "dials again after a break": ends("updated", "not-confirmed", "transfer-broken"),
  "refuses our certificate": both("tls-refused"),
  "certificate in two writes": both("updated"),
  "stalls mid-transfer": both("transfer-broken"),
  "stalls at the first byte": both("transfer-broken"),
  "resets at 50 %": BROKEN_UNSEEN,
  "resets at 99 %": BROKEN_UNSEEN,
  "closes early": BROKEN_UNSEEN,
  "slow reader": both("updated"),
  "rejects the image": REJECTED,
  "rejects the image and cannot be reached for a while": REJECTED,
  "rollback": both("old-version"),
  "never returns": both("device-lost"),
  "returns at a new address": both("device-lost"),
  "returns as another device type": both("wrong-device"),
};

const ATTESTATION_ENDS: Readonly<Record<AttestationMode, OutcomeCase["ends"]>> = {
  "ok": both("updated"),
  "401": both("attestation-refused"),
  "405": both("attestation-unavailable"),
  "500": both("attestation-unavailable"),
  "hang": both("attestation-unavailable"),
  "slow": both("updated"),
  "down": both("attestation-unavailable"),
};

/** The first stranger who completes TLS ends the classic agent's job, and the device is not served. */
const ENDS_CLASSIC = ends("updated", "device-never-dialled");

const STRANGER_ENDS: Readonly<Record<StrangerKind, OutcomeCase["ends"]>> = {
  "plain TCP": both("updated"),
  "HTTP GET": both("updated"),
  "silent": both("updated"),
  "TLS without data": ENDS_CLASSIC,
  "699 bytes": ENDS_CLASSIC,
  "garbage": ENDS_CLASSIC,
  "endless certificate": ENDS_CLASSIC,
  "huge": ENDS_CLASSIC,
  "another device": ends("updated", "attestation-refused"),
};

/** Restarts slowly enough to be seen gone on a busy machine. */
const UNHURRIED = { timings: 2 / 5 } as const;

/**
 * The agent lives by the machine's clock and is told to be patient, so that a lab which the machine lets stand still is
 * not late; but where a deadline is what ends the job, it comes soon.
 */
export function deadlinesOf(
  { lab: { behaviour = {}, attestation } }: OutcomeCase,
): Readonly<Record<string, string>> {
  const { dials, update, wrongPin, onboard, transfer, dialsTwice, info } = behaviour;
  const isUnheard = dials === "never" || update === "reset";
  const isTurnedAway = wrongPin === true || onboard === "other";
  const isBroken = transfer !== undefined && dialsTwice === undefined;
  const isUnattested = attestation !== undefined && attestation !== "ok" && attestation !== "slow";
  return {
    DIAL_IN_TIMEOUT: isUnheard ? "4s" : isTurnedAway ? "8s" : "30s",
    REDIAL_TIMEOUT: isBroken || isUnattested ? "2s" : "15s",
    ATTESTATION_TIMEOUT: isUnattested ? "3s" : "15s",
    TRANSFER_IDLE_TIMEOUT: transfer?.then === "stall" ? "2s" : "15s",
    // Not below what a slow page takes: 200 ms of a fast device.
    ...(info === "slow" ? { CONFIRM_TIMEOUT: "16s" } : {}),
  };
}

function labFor(behaviour: DeviceBehaviour): LabOptions {
  // With the window of a device, the kernel on our side holds what the device did not take.
  if (behaviour.transfer?.then === "stall") return { behaviour: { ...behaviour, receiveWindow: 5760 } };
  const needsRestart = behaviour.alreadyUpdated || behaviour.afterRestart === "rollback" ||
    (behaviour.info !== undefined && behaviour.info !== "slow");
  return { behaviour, ...(needsRestart ? UNHURRIED : {}) };
}

/** Every case, each to be run with both agents. */
export const outcomeCases: readonly OutcomeCase[] = [
  ...Object.entries(deviceBehaviours).map(([name, behaviour]): OutcomeCase => ({
    group: DEVICE,
    name,
    lab: labFor(behaviour),
    // A behaviour that is new has no ending here, and fails.
    ends: DEVICE_ENDS[name] ?? both("internal"),
  })),
  {
    group: VERSION,
    name: "the version it has already, other bytes",
    lab: { from: "1.1.0", ...UNHURRIED },
    ends: SAME_VERSION,
  },
  {
    group: VERSION,
    name: "the version it has already, rejects the image",
    lab: { from: "1.1.0", behaviour: { rejectsImage: true } },
    ends: REJECTED,
  },
  {
    group: VERSION,
    name: "the version it has already, rejects the image and cannot be reached for a while",
    lab: { from: "1.1.0", behaviour: { rejectsImage: true, awayFor: 20_000 } },
    ends: REJECTED,
  },
  {
    group: VERSION,
    name: "no /info, rejects the image",
    lab: { behaviour: { info: "absent", rejectsImage: true } },
    ends: REJECTED,
  },
  {
    group: VERSION,
    name: "no /info, never returns",
    lab: { behaviour: { info: "absent", afterRestart: "gone" } },
    ends: both("device-lost"),
  },
  {
    group: VERSION,
    name: "no /info, resets at 50 %",
    lab: { behaviour: { info: "absent", transfer: { fraction: 0.5, then: "reset" } } },
    ends: BROKEN_UNSEEN,
  },
  {
    group: VERSION,
    name: "an older image than it runs",
    lab: { from: "2.0.0" },
    ends: both("downgrade-refused"),
  },
  ...attestationModes.map((mode): OutcomeCase => ({
    group: ATTESTATION,
    name: mode,
    lab: { attestation: mode },
    ends: ATTESTATION_ENDS[mode],
  })),
  ...attestationModes.map((mode): OutcomeCase => ({
    group: AHEAD,
    name: mode,
    lab: { attestation: mode, behaviour: { onboard: "absent" } },
    ends: ATTESTATION_ENDS[mode],
  })),
  ...strangerKinds.map((stranger): OutcomeCase => ({
    group: STRANGER,
    name: stranger,
    lab: {},
    stranger,
    ends: STRANGER_ENDS[stranger],
  })),
  {
    group: STRANGER,
    name: "another genuine device",
    lab: {},
    stranger: "another device",
    knowsEveryone: true,
    // On loopback all have one address, so the stranger's receipt may pass for the device's.
    ends: ends("updated", "image-rejected", "not-confirmed"),
  },
  {
    group: STRANGER,
    name: "another genuine device, whose certificate /onboard shows",
    lab: { behaviour: { onboard: "other" } },
    knowsEveryone: true,
    ends: ends("wrong-device", "updated"),
  },
  {
    group: STRANGER,
    name: "another genuine device, of a device without /info",
    lab: { behaviour: { info: "absent" }, ...UNHURRIED },
    stranger: "another device",
    knowsEveryone: true,
    ends: ends("updated-unconfirmed", "image-rejected", "not-confirmed"),
  },
];
