import { format as formatBytes } from "@std/fmt/bytes";
import type { Outcome } from "../job/job_outcome.ts";
import { visibleJson, visibleText } from "./visible_text.ts";

/** The result of one job, as `--output json` prints it (docs/schemas/job.schema.json). */
export interface JobReport {
  /** The name of the ending. */
  readonly outcome: Outcome;
  /** The exit code. */
  readonly code: number;
  /** With `image-refused` and `signature-refused`, which finding it was; docs/signatures.md tells of the latter. */
  readonly reason?: string;
  /** What happened, in one sentence. */
  readonly message: string;
  /** What to do about it; absent where nothing is to be done or the message says it. */
  readonly remedy?: string;
  /** What a user should know although the job went on. */
  readonly warnings: readonly string[];
  /** The image that was asked for. */
  readonly reference?: string;
  /** Digests of what was pulled, as far as the job came. */
  readonly image?: ImageFacts;
  /** The file that was sent, or would have been. */
  readonly file?: FileFactsOfJob;
  /** The device before and after. */
  readonly device?: DeviceFacts;
  /** What happened between agent and device. */
  readonly transfer?: TransferFacts;
  /** What the watch after the update saw. */
  readonly confirmation?: { readonly verdict: string; readonly restarted: boolean };
  /** Milliseconds each phase took, and `total`. */
  readonly durations: Readonly<Record<string, number>>;
  /** Who the operator says this job is for. */
  readonly identity?: { readonly uuid?: string; readonly applicationType?: string };
}

/** Digests and names of the image. */
export interface ImageFacts {
  /** Present when the reference leads to an index. */
  readonly indexDigest?: string;
  /** The manifest of the chosen platform. */
  readonly manifestDigest: string;
  /** The layer that held the firmware. */
  readonly layerDigest?: string;
  /** For example `custom/esp32s3`. */
  readonly platform: string;
  /** How the signature of the image was judged. */
  readonly signature?: string;
}

/** The firmware file. */
export interface FileFactsOfJob {
  /** Its path inside the image. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** From the image header. */
  readonly chip?: string;
  /** From the application descriptor. */
  readonly project?: string;
  /** From the application descriptor. */
  readonly version?: string;
}

/** The device as it was and is. */
export interface DeviceFacts {
  /** `host:port` of its HTTP server. */
  readonly address: string;
  /** The chip that was asked for. */
  readonly chip: string;
  /** Its version before, when it told one. */
  readonly before?: string;
  /** Its version at the end, when it told one. */
  readonly after?: string;
}

/** The transfer. */
export interface TransferFacts {
  /** `builtin`, or the path of the agent program. */
  readonly agent: string;
  /** The address that the device was told to dial, and the port at which the agent waits: devices are told none. */
  readonly announced: string;
  /** True when the device closed after it had read everything. */
  readonly receipt?: boolean;
  /** Bytes handed to the device. */
  readonly bytes?: number;
}

/** The final line for people: what happened, to what, and what to do. */
export function finalLine(
  report: Pick<JobReport, "outcome" | "code" | "message" | "remedy" | "file">,
): string {
  const end = visibleText(report.message).replace(/[.\s]+$/, "");
  if (report.code !== 0) {
    const remedy = report.remedy === undefined ? "" : ` ${report.remedy}.`;
    const stop = end.endsWith("?") ? "" : ".";
    return `FAILED ${report.outcome} (exit ${report.code}): ${end}${stop}${remedy}`;
  }
  const file = report.file === undefined
    ? ""
    : ` [${formatBytes(report.file.size)}, sha256 ${report.file.sha256}]`;
  return `OK ${report.outcome}: ${end}.${file}`;
}

/**
 * The message that Kubernetes keeps of a container: compact JSON of at most 4096 bytes, so that the reason of a
 * failure outlives the pod's log. Warnings are left out, then what the log tells better, then the end of the message.
 */
export function terminationMessage(report: JobReport): string {
  const { outcome, code, reason, message, remedy, reference, image, file, device } = report;
  const texts = [
    { outcome, code, reason, message, remedy, reference, image, file, device },
    { outcome, code, reason, message, reference },
  ].map(visibleJson);
  return texts.find((text) => new TextEncoder().encode(text).length <= TERMINATION_BYTES) ??
    visibleJson({
      outcome,
      code,
      reason,
      message: `${visibleText(message).slice(0, MESSAGE_UNITS).toWellFormed()}...`,
    });
}

/** What fits into {@linkcode TERMINATION_BYTES} whatever it is: 3 bytes each in UTF-8, and 1 kB for the rest. */
const MESSAGE_UNITS = 1000;

/** What Kubernetes reads of a termination message. */
const TERMINATION_BYTES = 4096;
