/**
 * What a stand-in for a device can do other than its duty. Every switch may be combined with every other.
 *
 * @module
 */

/** A point of the transfer: `fraction` of the expected image, after which `then` happens. */
export interface TransferFault {
  /** Of the expected image, between 0 and 1. */
  readonly fraction: number;
  /** No more reads for ever, a reset, or an orderly close. */
  readonly then: "stall" | "reset" | "close";
}

/** One device's departures from the firmware as it should be. What is left out is as it should be. */
export interface DeviceBehaviour {
  /** Whether it already runs the expected image. */
  readonly alreadyUpdated?: boolean;
  /** `GET /info`: cut after 99 bytes, HTML, 500, after 8 s, no such page, never answered, reset. */
  readonly info?: "cut" | "html" | "error" | "slow" | "absent" | "silent" | "reset";
  /** `GET /onboard`: PEM in place of DER, 500, no such page, another device's certificate. */
  readonly onboard?: "pem" | "error" | "absent" | "other";
  /**
   * `POST /update`: refused with that status; accepted after 8 s; accepted and never answered; accepted and closed
   * without an answer; reset before it was read; accepted by firmware that will not dial.
   */
  readonly update?: 404 | 405 | 408 | 500 | "slow" | "silent" | "closed" | "reset" | "insecure";
  /** How long connections are refused after the first `GET` (milliseconds before scaling). */
  readonly refusedFor?: number;
  /** Whether it dials not at all, only at attempt number `n`, or only after something else has happened. */
  readonly dials?: "never" | { readonly atAttempt: number } | { readonly after: Promise<unknown> };
  /** A second dial: while the first connection is open and silent, or after the first transfer broke. */
  readonly dialsTwice?: "at once" | "after a break";
  /** Whether it has another certificate pinned than the agent's. */
  readonly wrongPin?: boolean;
  /** Whether the certificate leaves in two records, a moment apart. */
  readonly splitCertificate?: boolean;
  /** Bytes per second it reads (before scaling); as fast as they come otherwise. */
  readonly bytesPerSecond?: number;
  /** Bytes of its receive buffer (never scaled); the system's choice otherwise. */
  readonly receiveWindow?: number;
  /** Where the transfer goes wrong. */
  readonly transfer?: TransferFault;
  /** Whether the image it received fails verification. */
  readonly rejectsImage?: boolean;
  /** How long it cannot be reached after it has rejected the image, without a restart (milliseconds before scaling). */
  readonly awayFor?: number;
  /** What comes after the restart: the old image again, nothing for ever, or another identity or address. */
  readonly afterRestart?: "rollback" | "gone" | {
    /** Another device type in `/info`. */
    readonly device?: string;
    /** Another loopback address. */
    readonly hostname?: string;
  };
}

/** Every behaviour of the protocol's list by name, each with the switches that play it. */
export const deviceBehaviours: Readonly<Record<string, DeviceBehaviour>> = {
  "ok": {},
  "already at version": { alreadyUpdated: true },
  "/info cut": { info: "cut" },
  "/info HTML": { info: "html" },
  "/info 500": { info: "error" },
  "/info slow": { info: "slow" },
  "/info silent": { info: "silent" },
  "/info reset": { info: "reset" },
  "/info absent": { info: "absent" },
  "/onboard absent": { onboard: "absent" },
  "/onboard PEM": { onboard: "pem" },
  "/onboard 500": { onboard: "error" },
  "/onboard of another device": { onboard: "other" },
  "/update 404": { update: 404 },
  "/update 405": { update: 405 },
  "/update 408": { update: 408 },
  "/update 500": { update: 500 },
  "/update slow": { update: "slow" },
  "/update silent": { update: "silent" },
  "/update closed without an answer": { update: "closed" },
  "/update reset": { update: "reset" },
  "/update refused": { refusedFor: Infinity },
  "/update refused at first": { refusedFor: 6000 },
  "insecure reply": { update: "insecure" },
  "never dials": { dials: "never" },
  "dials late": { dials: { atAttempt: 4 } },
  "dials twice": { dialsTwice: "at once" },
  "dials again after a break": { dialsTwice: "after a break", transfer: { fraction: 0.3, then: "reset" } },
  "refuses our certificate": { wrongPin: true },
  "certificate in two writes": { splitCertificate: true },
  "stalls mid-transfer": { transfer: { fraction: 0.5, then: "stall" } },
  "stalls at the first byte": { transfer: { fraction: 0, then: "stall" } },
  "resets at 50 %": { transfer: { fraction: 0.5, then: "reset" } },
  "resets at 99 %": { transfer: { fraction: 0.99, then: "reset" } },
  "closes early": { transfer: { fraction: 0.5, then: "close" } },
  // lwIP has four segments of 1440 bytes by default.
  "slow reader": { bytesPerSecond: 60_000, receiveWindow: 5760 },
  "rejects the image": { rejectsImage: true },
  "rejects the image and cannot be reached for a while": { rejectsImage: true, awayFor: 20_000 },
  "rollback": { afterRestart: "rollback" },
  "never returns": { afterRestart: "gone" },
  "returns at a new address": { afterRestart: { hostname: "127.0.0.2" } },
  "returns as another device type": { afterRestart: { device: "esp32c3" } },
};
