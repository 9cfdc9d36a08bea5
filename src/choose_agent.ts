import type { Job } from "./job/job.ts";
import type { JobConfig } from "./job/job_config.ts";
import { JobFailure } from "./job/job_outcome.ts";
import { readKeyPair } from "./ota_agent/key_pair.ts";
import { OtaAgentError } from "./ota_agent/ota_agent_error.ts";
import type { World } from "./world.ts";

/**
 * The agent that was asked for; by default the program at the classic path if one is there.
 *
 * What it could not start without is looked for here, before anything is fetched or asked. Throws
 * {@linkcode JobFailure} `agent-failed`; a dry run, which starts none, only warns.
 */
export async function chooseAgent(
  config: JobConfig,
  world: World,
  warn: (message: string) => void,
): Promise<Job["agent"]> {
  const agent = await chosenAgent(config, world);
  try {
    if (agent.kind === "builtin") await demandKeyPair(config, world);
    else await demandFiles(agent.path, config, world);
  } catch (error) {
    if (!config.dryRun || !(error instanceof JobFailure)) throw error;
    warn(`The update itself would fail here: ${error.message}`);
  }
  return agent;
}

async function chosenAgent({ agent }: JobConfig, { files }: World): Promise<Job["agent"]> {
  if (agent.kind !== "default") return agent;
  return (await files.facts(agent.path))?.isFile
    ? { kind: "classic", path: agent.path }
    : { kind: "builtin" };
}

async function demandKeyPair({ serverCertificate, serverKey }: JobConfig, world: World): Promise<void> {
  try {
    await readKeyPair({ certificatePath: serverCertificate, keyPath: serverKey }, world);
  } catch (error) {
    if (!(error instanceof OtaAgentError)) throw error;
    throw new JobFailure("agent-failed", error.message, { cause: error });
  }
}

/** Of an agent that is not ours only what no program could do without is known. */
async function demandFiles(
  path: string,
  { serverCertificate, serverKey }: JobConfig,
  { files }: World,
): Promise<void> {
  const program = await files.facts(path);
  const isExecutable = program?.isFile === true && (program.mode === null || (program.mode & 0o111) !== 0);
  if (!isExecutable) {
    const found = program === undefined ? "nothing is there" : "it is no executable file";
    throw new JobFailure(
      "agent-failed",
      `Cannot start the agent '${path}': ${found}, wanted a program (--agent, OTA_AGENT_PATH) or 'builtin'`,
    );
  }
  for (const file of [serverCertificate, serverKey]) {
    if (await files.facts(file) !== undefined) continue;
    throw new JobFailure(
      "agent-failed",
      `Cannot serve the device with '${file}': nothing is there, wanted PEM`,
    );
  }
}
