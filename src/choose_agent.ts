import { ConfigError } from "./job/config_error.ts";
import type { Job } from "./job/job.ts";
import type { JobConfig } from "./job/job_config.ts";
import { JobFailure } from "./job/job_outcome.ts";
import { readKeyPair } from "./ota_agent/key_pair.ts";
import { OtaAgentError } from "./ota_agent/ota_agent_error.ts";
import type { FileFacts, World } from "./world.ts";

/**
 * The agent that was asked for; by default the program at the classic path if one is there.
 *
 * What it could not start without is looked for here, before anything is fetched or asked. Throws
 * {@linkcode JobFailure} `agent-failed`; a dry run, which starts none, only warns. Throws {@linkcode ConfigError} when
 * the agent cannot do what is required of it.
 */
export async function chooseAgent(
  config: JobConfig,
  world: World,
  warn: (message: string) => void,
): Promise<Job["agent"]> {
  const agent = await chosenAgent(config, world);
  if (agent.kind === "classic" && config.verifyIdentity === "require") {
    throw new ConfigError([
      `Cannot verify the device's identity: the agent '${agent.path}' serves whoever dials first, ` +
      "--verify-identity require needs --agent builtin",
    ]);
  }
  try {
    if (agent.kind === "classic") await demandProgram(agent.path, world);
    for (const path of [config.serverCertificate, config.serverKey]) await demandPem(path, world);
    // Of an agent that is not ours only what no program could do without is known.
    if (agent.kind === "builtin") await demandKeyPair(config, world);
  } catch (error) {
    if (!config.dryRun || !(error instanceof JobFailure)) throw error;
    warn(`The update itself would fail here: ${error.message}`);
  }
  return agent;
}

async function chosenAgent({ agent }: JobConfig, { files }: World): Promise<Job["agent"]> {
  if (agent.kind !== "default") return agent;
  // What cannot be looked at may be there: then it is the agent, and cannot be started.
  const isThere = await files.facts(agent.path).then((facts) => facts?.isFile === true, () => true);
  return isThere ? { kind: "classic", path: agent.path } : { kind: "builtin" };
}

async function demandProgram(path: string, world: World): Promise<void> {
  const seen = await lookAt(path, world);
  const isProgram = typeof seen !== "string" && seen.isFile &&
    (seen.mode === null || (seen.mode & 0o111) !== 0);
  if (isProgram) return;
  const found = typeof seen === "string" ? seen : "it is no executable file";
  throw new JobFailure(
    "agent-failed",
    `Cannot start the agent '${path}': ${found}, wanted a program (--agent, OTA_AGENT_PATH) or 'builtin'`,
  );
}

/** A pipe would be waited for without an end. */
async function demandPem(path: string, world: World): Promise<void> {
  const seen = await lookAt(path, world);
  if (typeof seen !== "string" && seen.isFile) return;
  const found = typeof seen === "string" ? seen : "it is no file";
  throw new JobFailure("agent-failed", `Cannot read '${path}': ${found}, wanted a PEM file`);
}

async function demandKeyPair({ serverCertificate, serverKey }: JobConfig, world: World): Promise<void> {
  try {
    await readKeyPair({ certificatePath: serverCertificate, keyPath: serverKey }, world);
  } catch (error) {
    if (!(error instanceof OtaAgentError)) throw error;
    throw new JobFailure("agent-failed", error.message, { cause: error });
  }
}

/** The facts of what is at `path`, or in words why there are none. */
async function lookAt(path: string, { files }: World): Promise<FileFacts | string> {
  try {
    return await files.facts(path) ?? "nothing is there";
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}
