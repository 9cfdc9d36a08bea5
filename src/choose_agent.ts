import { ConfigError } from "./job/config_error.ts";
import type { Job } from "./job/job.ts";
import type { AgentSettings } from "./job/job_config.ts";
import { readKeyPair } from "./ota_agent/key_pair.ts";
import { OtaAgentError } from "./ota_agent/ota_agent_error.ts";
import type { FileFacts, World } from "./world.ts";

/**
 * The agent that was asked for; by default the program at the classic path if one is there.
 *
 * What it could not start without is looked for here, before anything is fetched or asked. Throws
 * {@linkcode ConfigError} with all that keeps it from doing what is asked of it. A dry run, which starts none, only
 * warns of a key pair for our own agent that nobody names: the machine of a pipeline need not hold the key that all
 * devices trust.
 */
export async function chooseAgent(
  settings: AgentSettings,
  world: World,
  warn: (message: string) => void,
): Promise<Job["agent"]> {
  const agent = await chosenAgent(settings, world);
  const missing = await missingFiles(agent, settings, world);
  const isExcused = settings.dryRun && !settings.namesKeyPair && agent.kind === "builtin";
  if (isExcused) missing.forEach((fault) => warn(`The update itself would fail here: ${fault}`));
  const faults = isExcused ? [] : missing;
  if (agent.kind === "classic" && settings.verifyIdentity === "require") {
    faults.push(
      `Cannot verify the device's identity: the agent '${agent.path}' serves whoever dials first, ` +
        "--verify-identity require needs --agent builtin",
    );
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return agent;
}

/** What is needed to start `agent` and is not there, one sentence each. */
async function missingFiles(agent: Job["agent"], settings: AgentSettings, world: World): Promise<string[]> {
  const { serverCertificate, serverKey } = settings;
  const missing = (await Promise.all([
    agent.kind === "classic" ? programFault(agent.path, world) : undefined,
    pemFault(serverCertificate, "--server-crt, SERVER_CRT_PATH", world),
    pemFault(serverKey, "--server-key, SERVER_KEY_PATH", world),
  ])).filter((fault) => fault !== undefined);
  if (missing.length > 0 || agent.kind === "classic") return missing;
  // Of an agent that is not ours only what no program could do without is known.
  const fault = await keyPairFault(settings, world);
  return fault === undefined ? [] : [fault];
}

async function chosenAgent({ agent }: AgentSettings, { files }: World): Promise<Job["agent"]> {
  if (agent.kind !== "default") return agent;
  // What cannot be looked at may be there: then it is the agent, and cannot be started.
  const isThere = await files.facts(agent.path).then((facts) => facts?.isFile === true, () => true);
  return isThere ? { kind: "classic", path: agent.path } : { kind: "builtin" };
}

async function programFault(path: string, world: World): Promise<string | undefined> {
  const seen = await lookAt(path, world);
  const isProgram = typeof seen !== "string" && seen.isFile &&
    (seen.mode === null || (seen.mode & 0o111) !== 0);
  if (isProgram) return undefined;
  const found = typeof seen === "string" ? seen : "it is no executable file";
  return `Cannot start the agent '${path}': ${found}, wanted a program (--agent, OTA_AGENT_PATH) or 'builtin'`;
}

/** A pipe would be waited for without an end. */
async function pemFault(path: string, settings: string, world: World): Promise<string | undefined> {
  const seen = await lookAt(path, world);
  if (typeof seen !== "string" && seen.isFile) return undefined;
  const found = typeof seen === "string" ? seen : "it is no file";
  return `Cannot read '${path}': ${found}, wanted a PEM file (${settings})`;
}

async function keyPairFault(
  { serverCertificate, serverKey }: AgentSettings,
  world: World,
): Promise<string | undefined> {
  try {
    await readKeyPair({ certificatePath: serverCertificate, keyPath: serverKey }, world);
    return undefined;
  } catch (error) {
    if (!(error instanceof OtaAgentError)) throw error;
    return `${error.message} (--server-crt, SERVER_CRT_PATH; --server-key, SERVER_KEY_PATH)`;
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
