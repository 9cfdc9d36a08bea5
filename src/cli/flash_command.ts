import { DeadlineError, within } from "../deadline.ts";
import { flashJob } from "../flash_job.ts";
import { readCheckSettings } from "../job/check_config.ts";
import { type JobConfig, readAgentSettings, readJobConfig } from "../job/job_config.ts";
import { FLASH_OPTIONS } from "../job/job_options.ts";
import { JobRecord } from "../job/job_record.ts";
import { Faults, Settings } from "../job/option.ts";
import { endingOf } from "../job_ending.ts";
import { readLocalSetup } from "../read_local_setup.ts";
import { finalLine, type JobReport, terminationMessage } from "../report/job_report.ts";
import type { Progress } from "../report/progress.ts";
import { visibleJson } from "../report/visible_text.ts";
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
    config = await readConfig(context, settings);
  } catch (error) {
    world.log.debug(error instanceof Error ? error.stack ?? error.message : String(error));
    return new JobRecord(world.clock).report(endingOf(signal.aborted ? signal.reason : error));
  }
  const onProgress = (progress: Progress): void =>
    screen.progress(progress, world.clock.now(), (line) => world.log.info(line));
  return await flashJob(config, world, { signal, self, onProgress });
}

/** Milliseconds for a look that only adds to faults that are known: a disk that does not answer must not hide them. */
const LOOK_BESIDE_FAULTS = 1000;

/** The configuration; where it is faulty with what is wrong on this machine too, so that nobody meets faults in turn. */
async function readConfig(context: CommandContext, settings: Settings): Promise<JobConfig> {
  const { world, signal } = context;
  const faults = new Faults();
  const password = await readPassword(settings, context, faults);
  const config = await faults.gather(() => readJobConfig(settings, password));
  if (config !== undefined && faults.messages.length === 0) return config;
  const local = {
    agent: readAgentSettings(settings, new Faults()),
    keyFiles: readCheckSettings(settings, new Faults()).trustedKeyFiles,
  };
  const bounds = { clock: world.clock, milliseconds: LOOK_BESIDE_FAULTS, signal, what: "the files named" };
  await faults.gather(() =>
    within(bounds, (signal) => readLocalSetup(local, world, { signal, warn: () => undefined }))
  ).catch((error) => {
    if (!(error instanceof DeadlineError)) throw error;
  });
  throw faults.error();
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
