import type { ImageRefusalCode } from "../image/image_policy.ts";
import { CodedError } from "../coded_error.ts";

/** What the world sees of one kind of ending. */
export interface OutcomeRow {
  /** The exit code of the process. */
  readonly exit: number;
  /** One sentence for people: what this ending means. */
  readonly meaning: string;
  /** What to do about it; empty where nothing is to be done. */
  readonly remedy: string;
}

/**
 * Every way a job can end. This is the only place where an exit number stands; the README's table is this one.
 * 0 is given to `updated` only when the device was seen to run the image; the other endings with 0 say in their name
 * that they claim less.
 */
export const OUTCOMES = {
  "updated": row(0, "The device runs the new firmware", ""),
  "updated-unconfirmed": row(
    0,
    "The device took the whole firmware and restarted, but cannot tell its version",
    "Use --confirm require to fail here instead",
  ),
  "sent": row(
    0,
    "The device took the whole firmware, and with --confirm off nobody looked whether it runs it",
    "Leave --confirm off out to have the update proved",
  ),
  "already-current": row(0, "The device already runs this version, nothing was sent", ""),
  "dry-run": row(0, "Everything up to the update was checked, nothing was sent", ""),
  "internal": row(1, "A fault of flashjob itself", "Report it with the log at --log-level debug"),
  "configuration": row(2, "Flags or variables are missing or wrong", "See flashjob --help"),
  "registry-unreachable": row(
    10,
    "The registry gave no usable answer",
    "Check the host name, the network policy, the proxy variables and the registry's health",
  ),
  "registry-auth": row(
    11,
    "The registry refused access",
    "Check the pull secret (DOCKER_CONFIG, --registry-config) and that it covers this repository",
  ),
  "not-found": row(12, "The image does not exist in the registry", "Check the repository and the tag"),
  "content-mismatch": row(
    13,
    "Bytes from the registry are not those their digest or size promises",
    "Push the image again and look at the storage of the registry or of its proxy",
  ),
  "wrong-target": row(
    14,
    "The image or the device is of another kind than --device",
    "Build the firmware for this device, or correct DEVICE",
  ),
  "unusable-image": row(
    15,
    "The image in the registry cannot be used as firmware",
    "See the message; --firmware-path chooses among several files",
  ),
  "signature-refused": row(
    16,
    "The signature policy is not met",
    "Sign the image with a trusted key or identity, or correct the policy",
  ),
  "downgrade-refused": row(
    17,
    "The image is older than what the device runs",
    "Use --allow-downgrade if that is wanted",
  ),
  "registry-misdirects": row(
    18,
    "The registry sends us where a registry may not",
    "Correct that address; one in a network of yours is reached by a mirror (--registry-mirror) or a proxy",
  ),
  "device-unreachable": row(
    20,
    "The device does not answer over HTTP",
    "Check its power, its address (HOST_ENDPOINT) and the route from here",
  ),
  "update-refused": row(
    21,
    "The device answered the update request with a refusal",
    "Look at the device's serial log; firmware that updates insecurely cannot be served",
  ),
  "device-never-dialled": row(
    22,
    "The device was asked to update but never reached the agent",
    "Check that the announced address (EXTERNAL_IP) leads from the device to the agent, at the port that is compiled into the device (AGENT_PORT)",
  ),
  "tls-refused": row(
    23,
    "The device and the agent could not agree on TLS",
    "Use the server certificate that is pinned in the device's firmware, or a leaf issued by it",
  ),
  "attestation-refused": row(
    24,
    "The attestation server does not know this device as genuine",
    "Register the device's certificate with the attestation server",
  ),
  "attestation-unavailable": row(
    25,
    "The attestation server gave no verdict",
    "Check that the server runs and that DICE_AUTH_URL leads to it",
  ),
  "transfer-broken": row(
    26,
    "The firmware did not reach the device whole",
    "Check the radio link and the device's log, then run the job again after 80 seconds",
  ),
  "not-confirmed": row(
    27,
    "The firmware was sent, but nothing proves that the device runs it",
    "Look at the device's version; give --expect-version if it reports another than the image's",
  ),
  "old-version": row(
    28,
    "The device restarted and came back with the old version",
    "The new firmware failed its self-test and was rolled back: look at its serial log",
  ),
  "agent-failed": row(
    29,
    "The agent could not start or ended by itself",
    "Check OTA_AGENT_PATH, its certificate and key, and that AGENT_PORT is free; the log holds what the agent said",
  ),
  "image-rejected": row(
    30,
    "The device took the image, did not restart and keeps the old version",
    "It found the image invalid: look at its serial log",
  ),
  "device-lost": row(
    31,
    "The device did not return after the update",
    "It may have another address now (--confirm-host) or need a hand",
  ),
  "wrong-device": row(
    32,
    "Another device than the one asked for dialled in or came back",
    "Check HOST_ENDPOINT, address assignment and --verify-identity",
  ),
  "update-in-progress": row(
    33,
    "The device may still be busy with an earlier attempt (known only where XDG_RUNTIME_DIR is set)",
    "Wait until 80 seconds after the earlier attempt, then run the job again",
  ),
  "local-io": row(
    34,
    "A local file could not be read or written",
    "Check the path, its permissions and the free space",
  ),
  "image-refused": row(
    40,
    "The file is not a firmware this device can run",
    "Build and push the right file; --force-image NAME overrides one finding knowingly",
  ),
  "deadline": row(
    124,
    "The job did not finish in time",
    "Raise --timeout, or see in the log which phase took so long",
  ),
  "interrupted": row(130, "Stopped by SIGINT", ""),
  "terminated": row(143, "Stopped by SIGTERM, SIGHUP or SIGQUIT", ""),
} as const satisfies Record<string, OutcomeRow>;

/** A process signal that stops the program in order. */
export type StopSignal = keyof typeof SIGNAL_OUTCOMES;

/** The name of an ending. */
export type Outcome = keyof typeof OUTCOMES;

/** How the program ends when a process signal stops it. */
export const SIGNAL_OUTCOMES = {
  SIGINT: "interrupted",
  SIGTERM: "terminated",
  // A terminal that is gone, and one that quits: the agent has a session of its own and would go on.
  SIGHUP: "terminated",
  SIGQUIT: "terminated",
} as const satisfies Record<string, Outcome>;

/** With `image-refused`, the exit code tells which finding of the image check it was. */
export const REFUSAL_EXITS: Readonly<Record<ImageRefusalCode, number>> = {
  "empty": 41,
  "elf": 42,
  "uf2": 43,
  "intel-hex": 44,
  "archive": 45,
  "text-page": 46,
  "partition-table": 47,
  "delta-patch": 48,
  "encrypted": 49,
  "compressed": 50,
  "mcuboot": 51,
  "esp8266": 52,
  "merged-image": 53,
  "bootloader": 54,
  "ram-image": 55,
  "not-an-image": 56,
  "wrong-chip": 57,
  "malformed": 58,
  "truncated": 59,
  "checksum": 60,
  "sha256": 61,
  "too-large": 62,
  "signature-corrupt": 63,
  "signature-missing": 64,
  "signature-untrusted": 65,
  "secure-version": 66,
};

/** A failure whose ending is known where it is thrown. */
export class JobFailure extends CodedError<Outcome> {
  /** With `image-refused`: the finding, which has an exit code of its own. */
  readonly refusal: ImageRefusalCode | undefined;

  /** See {@linkcode CodedError} for the grammar of the message. */
  constructor(code: Outcome, message: string, options: ErrorOptions & { refusal?: ImageRefusalCode } = {}) {
    super(code, message, options);
    this.refusal = options.refusal;
  }
}

function row(exit: number, meaning: string, remedy: string): OutcomeRow {
  return { exit, meaning, remedy };
}
