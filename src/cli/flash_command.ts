import { chooseAgent } from "../choose_agent.ts";
import { within } from "../deadline.ts";
import { flashJob } from "../flash_job.ts";
import { ConfigError } from "../job/config_error.ts";
import { type JobConfig, readAgentSettings, readJobConfig } from "../job/job_config.ts";
import { FLASH_OPTIONS } from "../job/job_options.ts";
import { JobRecord } from "../job/job_record.ts";
import { Faults, Settings } from "../job/option.ts";
import { endingOf } from "../job_ending.ts";
import { finalLine, type JobReport, terminationMessage } from "../report/job_report.ts";
import type { Progress } from "../report/progress.ts";
import { visibleJson } from "../report/visible_text.ts";
import { untilAborted } from "../until_aborted.ts";
import type { Command, CommandContext } from "./command.ts";
import { commandDeadline } from "./command_deadline.ts";
import { readPassword } from "./read_password.ts";

/** `flashjob flash`: the whole job. */
export const flashCommand: Command = {
  usage: "[flags]",
  about:
    "Every flag has a variable, and flags win. A pod of the FlashJob operator needs no flags at all:\n\n" +
    "  FIRMWARE=registry.example.org/team/thermo:1.1 DEVICE=esp32s3 HOST_ENDPOINT=192.168.11.20 \\\n" +
    "  EXTERNAL_IP=192.168.11.2 DICE_AUTH_URL=http://attestation:8000 flashjob\n\n" +
    "UUID and APPLICATION_TYPE, which it sets as well, are repeated in the result.\n\n" +
    "At a desk, look before you leap with --dry-run. Exit code 0 means done; README.md lists the others.",
  options: FLASH_OPTIONS,
  positionals: [],
  async run(context) {
    const settings = new Settings(FLASH_OPTIONS, context.flags, context.environment);
    const deadline = commandDeadline(context, { settings, what: "the job" });
    const report = await within(deadline, (signal) => runJob({ ...context, signal }, settings));
    return await tell(report, settings, context);
  },
  async refuse(context, error) {
    const settings = new Settings(FLASH_OPTIONS, context.flags, context.environment);
    return await tell(new JobRecord(context.world.clock).report(endingOf(error)), settings, context);
  },
};

async function tell(report: JobReport, settings: Settings, context: CommandContext): Promise<number> {
  context.screen.clear();
  await leaveTerminationMessage(context, settings.text("termination-log"), report);
  // Last of all: where there is no termination message, Kubernetes shows the end of the log.
  if (context.asJson) {
    context.print(visibleJson(report));
    context.world.log[report.code === 0 ? "info" : "error"](finalLine(report));
  } else context.print(finalLine(report));
  return report.code;
}

async function runJob(context: CommandContext, settings: Settings): Promise<JobReport> {
  const { world, screen, signal, self } = context;
  let config: JobConfig;
  try {
    config = readJobConfig(settings, await readPassword(settings, context));
  } catch (error) {
    const record = new JobRecord(world.clock);
    if (signal.aborted) return record.report(endingOf(signal.reason));
    if (!(error instanceof ConfigError)) throw error;
    return record.report(endingOf(await withAgentFaults(error, settings, context)));
  }
  const onProgress = (progress: Progress): void =>
    screen.progress(progress, world.clock.now(), (line) => world.log.info(line));
  return await flashJob(config, world, { signal, self, onProgress });
}

/** Adds what is wrong with the agent, so that nobody meets the faults of one configuration turn by turn. */
async function withAgentFaults(
  error: ConfigError,
  settings: Settings,
  { world, signal }: CommandContext,
): Promise<unknown> {
  try {
    const agent = readAgentSettings(settings, new Faults());
    await untilAborted(chooseAgent(agent, world, () => undefined), signal);
    return error;
  } catch (other) {
    return other instanceof ConfigError ? new ConfigError([...error.faults, ...other.faults]) : other;
  }
}

/** Kubernetes mounts the file where it wants a message; elsewhere there is none, and nobody wants one. */
async function leaveTerminationMessage(
  { world }: CommandContext,
  path: string | undefined,
  report: JobReport,
): Promise<void> {
  if (path === undefined) return;
  try {
    if ((await world.files.facts(path))?.isFile) {
      await world.files.overwrite(path, terminationMessage(report));
    }
  } catch (error) {
    world.log.warn(
      `Cannot write the termination message '${path}': ${error instanceof Error ? error.message : error}`,
    );
  }
}
