import { chooseAgent } from "./choose_agent.ts";
import type { SecureBootKey } from "./image/secure_boot_key.ts";
import type { Job } from "./job/job.ts";
import type { AgentSettings } from "./job/job_config.ts";
import { Faults } from "./job/option.ts";
import { readBootKeys } from "./read_boot_keys.ts";
import { untilAborted } from "./until_aborted.ts";
import type { World } from "./world.ts";

/** What a job needs of this machine. */
export interface LocalSettings {
  /** Which agent to start, and with what. */
  readonly agent: AgentSettings;
  /** Files with trusted Secure Boot keys. */
  readonly keyFiles: readonly string[];
}

/** What was found of it. */
export interface LocalSetup {
  /** The agent that the device will dial. */
  readonly agent: Job["agent"];
  /** The trusted Secure Boot keys. */
  readonly keys: readonly SecureBootKey[];
}

/**
 * Looks on this machine for what the job will need, before anything is fetched or asked. Throws `ConfigError` with
 * everything that is faulty or missing.
 */
export async function readLocalSetup(
  settings: LocalSettings,
  world: World,
  options: { readonly signal: AbortSignal; readonly warn: (message: string) => void },
): Promise<LocalSetup> {
  const { signal, warn } = options;
  const faults = new Faults();
  // Files may lie on a disk that does not answer.
  const agent = await faults.gather(() => untilAborted(chooseAgent(settings.agent, world, warn), signal));
  const keys = await faults.gather(() => readBootKeys(settings.keyFiles, world, signal));
  if (agent === undefined || keys === undefined) throw faults.error();
  return { agent, keys };
}
