/** How fast the stand-ins live: `faithful` as in the field, `fast` 40 times that, or a factor on every time. */
export type Timings = "faithful" | "fast" | number;

/** The factor on every time of the protocol. */
export function scaleOf(timings: Timings): number {
  if (timings === "faithful") return 1;
  return timings === "fast" ? 1 / 40 : timings;
}

/** The times of the device firmware in milliseconds, before scaling. */
export const DEVICE_TIMES = {
  /** Between two attempts to reach the agent. */
  betweenAttempts: 4000,
  /** From the end of the handshake to the certificate. */
  beforeCertificate: 500,
  /** From the certificate to the first read. */
  afterCertificate: 1500,
  /** After the certificate, when an OTA that is not the first since boot gets nothing. */
  givesUp: 4500,
  /** From a verified image to the restart. */
  beforeRestart: 4000,
  /** From the restart to the first answer over HTTP. */
  boot: 2500,
  /** What a slow HTTP handler takes. */
  slowReply: 8000,
} as const;
