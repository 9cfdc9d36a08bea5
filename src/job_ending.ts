import { DeadlineError } from "./deadline.ts";
import { DeviceError, type DeviceErrorCode } from "./device/device_error.ts";
import { FirmwareError, type FirmwareErrorCode } from "./firmware/firmware_error.ts";
import { ImageError, type ImageErrorCode } from "./image/image_error.ts";
import { ConfigError } from "./job/config_error.ts";
import {
  JobFailure,
  type Outcome,
  OUTCOMES,
  REFUSAL_EXITS,
  SIGNAL_OUTCOMES,
  type StopSignal,
} from "./job/job_outcome.ts";
import type { Ending } from "./job/job_record.ts";
import { RegistryError, type RegistryErrorCode } from "./registry/registry_error.ts";
import { SignatureError } from "./signature/signature_error.ts";

const REGISTRY: Record<RegistryErrorCode, Outcome> = {
  "unreachable": "registry-unreachable",
  "registry-failure": "registry-unreachable",
  "rate-limited": "registry-unreachable",
  "auth-refused": "registry-auth",
  "policy": "registry-misdirects",
  "not-found": "not-found",
  "content-mismatch": "content-mismatch",
  "pin-mismatch": "content-mismatch",
  "platform-missing": "wrong-target",
  "wrong-platform": "wrong-target",
  "unsupported": "unusable-image",
  "limit": "unusable-image",
  "invalid-document": "unusable-image",
  "bad-credentials-file": "configuration",
  "bad-reference": "configuration",
};

const FIRMWARE: Record<FirmwareErrorCode, Outcome> = {
  "none-found": "unusable-image",
  "several-found": "unusable-image",
  "content-mismatch": "content-mismatch",
  "limit": "unusable-image",
  "corrupt-archive": "unusable-image",
  "unsupported-link": "unusable-image",
  "io": "local-io",
};

const IMAGE: Record<ImageErrorCode, Outcome> = {
  "file-changed": "local-io",
  "unusable-key": "configuration",
};

const DEVICE: Record<DeviceErrorCode, Outcome> = {
  "unreachable": "device-unreachable",
  "refused": "update-refused",
  "insecure": "update-refused",
  "busy": "update-in-progress",
};

/** For errors whose message already says what to do. */
const SAID: Pick<Ending, "remedy"> = { remedy: "" };

/** Endings that say nothing of the device: what it was asked it may do all the same. */
const CUT_SHORT: ReadonlySet<Outcome> = new Set(["deadline", ...Object.values(SIGNAL_OUTCOMES)]);

/** The ending of a job that may have asked the device already, with advice for what is cut short there. */
export function endingAfterAsking(ending: Ending): Ending {
  if (!CUT_SHORT.has(ending.outcome)) return ending;
  const first = "The device may have been asked to update and go on with it: leave it alone for 80 seconds";
  const { remedy } = OUTCOMES[ending.outcome];
  return { ...ending, remedy: remedy === "" ? first : `${first}. ${remedy}` };
}

/** The one place where a thrown error becomes the ending of a job. */
export function endingOf(error: unknown): Ending {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof JobFailure) {
    const { refusal } = error;
    const finding = refusal === undefined ? {} : { reason: refusal, exit: REFUSAL_EXITS[refusal] };
    return { outcome: error.code, message, ...finding };
  }
  if (error instanceof RegistryError) {
    return { outcome: REGISTRY[error.code], message, ...(error.code === "pin-mismatch" ? SAID : {}) };
  }
  if (error instanceof FirmwareError) return { outcome: FIRMWARE[error.code], message };
  if (error instanceof ImageError) return { outcome: IMAGE[error.code], message };
  if (error instanceof DeviceError) return { outcome: DEVICE[error.code], message };
  if (error instanceof SignatureError) {
    const said = error.code === "no-trust" ? SAID : {};
    return { outcome: "signature-refused", reason: error.code, message, ...said };
  }
  if (error instanceof DeadlineError) return { outcome: "deadline", message };
  if (error instanceof ConfigError) return { outcome: "configuration", message };
  if (isInterruption(error)) {
    return { outcome: SIGNAL_OUTCOMES[error.processSignal], message };
  }
  return { outcome: "internal", message: `${error instanceof Error ? error.name : "Error"}: ${message}` };
}

/** The reason of the signal that a process signal aborts; its class belongs to the command line. */
function isInterruption(error: unknown): error is Error & { processSignal: StopSignal } {
  return error instanceof Error && "processSignal" in error;
}
