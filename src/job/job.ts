import type { SecureBootKey } from "../image/secure_boot_key.ts";
import type { Progress } from "../report/progress.ts";
import type { World } from "../world.ts";
import type { JobConfig } from "./job_config.ts";
import type { JobRecord } from "./job_record.ts";

/** One job on its way: what it was asked, what it may touch, and what it has learned. */
export interface Job {
  /** What was asked. */
  readonly config: JobConfig;
  /** The effects. */
  readonly world: World;
  /** What is known so far. */
  readonly record: JobRecord;
  /** Which agent the device will dial. */
  readonly agent: { readonly kind: "builtin" } | { readonly kind: "classic"; readonly path: string };
  /** The Secure Boot keys that are trusted. */
  readonly keys: readonly SecureBootKey[];
  /** How to start this very program, for the built-in agent. */
  readonly self: { readonly path: string; readonly args: readonly string[] };
  /** Told how far the long steps have come. */
  readonly onProgress: (progress: Progress) => void;
  /** A warning for the log and the report. */
  readonly warn: (message: string) => void;
}
