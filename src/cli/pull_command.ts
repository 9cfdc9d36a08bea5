import { dirname } from "node:path";
import { within } from "../deadline.ts";
import { ConfigError } from "../job/config_error.ts";
import { JobFailure } from "../job/job_outcome.ts";
import { IMAGE_OPTIONS, OUTPUT_OPTIONS, REGISTRY_OPTIONS, TIMEOUT_OPTIONS } from "../job/job_options.ts";
import { checkOutputSettings, isForm, withForm } from "../job/output_config.ts";
import { Faults, type Option, parseDuration, Settings } from "../job/option.ts";
import { type PullSettings, readPullSettings } from "../job/pull_config.ts";
import { endingOf } from "../job_ending.ts";
import { fetchFirmwareFile, resolveFirmwareImage } from "../pull_firmware.ts";
import { type ImageReference, parseReference } from "../registry/reference.ts";
import { openRegistry } from "../registry/registry_client.ts";
import { visibleJson, visibleText } from "../report/visible_text.ts";
import type { FileFacts, World } from "../world.ts";
import type { Command, CommandContext } from "./command.ts";
import { commandDeadline } from "./command_deadline.ts";
import { printFailure } from "./print_failure.ts";
import { readPassword } from "./read_password.ts";

/** Names the file; `--output json` beside it chooses the form of the result, as in every command. */
const OUTPUT: Option = {
  name: "output",
  kind: "list",
  group: "What and where",
  placeholder: "FILE|json",
  help:
    "the file to write, once all of it is verified; json, as $FLASHJOB_OUTPUT: the result on stdout as JSON",
};

const OPTIONS: readonly Option[] = [
  ...IMAGE_OPTIONS,
  OUTPUT,
  ...REGISTRY_OPTIONS,
  ...TIMEOUT_OPTIONS,
  ...OUTPUT_OPTIONS.filter((option) => option.name !== OUTPUT.name),
];

/** `flashjob pull`: the verified firmware as a file. */
export const pullCommand: Command = {
  usage: "REFERENCE --device CHIP --output FILE [flags]",
  about: "  flashjob pull registry.example.org/team/thermo:1.1 --device esp32s3 --output thermo.bin",
  options: OPTIONS,
  positionals: ["REFERENCE"],
  async run(context) {
    try {
      const deadline = commandDeadline(context, { settings: settingsOf(context), what: "the pull" });
      return await within(deadline, async (signal) => {
        const bounded = { ...context, signal };
        return await pull(bounded, await readRequest(bounded));
      });
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      return printFailure(context, endingOf(context.signal.aborted ? context.signal.reason : error));
    }
  },
};

interface PullRequest {
  readonly reference: ImageReference;
  readonly settings: PullSettings;
  readonly output: string;
}

function settingsOf({ flags, environment }: CommandContext): Settings {
  return new Settings([...OPTIONS, ...OUTPUT_OPTIONS], withForm(flags), environment);
}

async function readRequest(context: CommandContext): Promise<PullRequest> {
  const settings = settingsOf(context);
  const faults = new Faults();
  checkOutputSettings(settings, faults);
  const password = await readPassword(settings, context, faults);
  const reference = faults.collect({ value: context.args[0] ?? "", from: "REFERENCE" }, parseReference);
  const pull = readPullSettings(settings, { password, registry: reference?.registry, faults });
  faults.collect(settings.find("timeout"), parseDuration);
  const [output, ...more] = new Settings([OUTPUT], context.flags, {}).list(OUTPUT.name)
    .map(({ value }) => value).filter((value) => !isForm(value));
  if (output === undefined) faults.add("No file is given: wanted --output FILE");
  if (more.length > 0) {
    faults.add(`Several files are given: ${[output, ...more].join(", ")}; wanted one --output FILE`);
  }
  if (reference === undefined || output === undefined || faults.messages.length > 0) {
    throw faults.error();
  }
  return { reference, settings: pull, output };
}

async function pull(context: CommandContext, request: PullRequest): Promise<number> {
  const { screen, signal } = context;
  const { reference, settings, output } = request;
  const directory = dirname(output);
  const replaced = await demandPlace(output, directory, context.world.files);
  const world = withTemporaryFilesIn(directory, context.world);
  // not in that world: what it keeps in --cache stays private
  using registry = openRegistry(settings.registry, context.world);
  const image = await resolveFirmwareImage({ reference, settings }, registry, world, signal);
  const onProgress = (doneBytes: number, totalBytes: number): void =>
    screen.progress(
      { step: "Pulling", doneBytes, totalBytes },
      world.clock.now(),
      (line) => world.log.info(line),
    );
  await using file = await fetchFirmwareFile(image, settings, registry, world, { signal, onProgress });
  try {
    if (typeof replaced?.mode === "number") await world.files.setMode(file.path, replaced.mode);
    await world.files.rename(file.path, output);
  } catch (cause) {
    throw unwritable(output, cause instanceof Error ? cause.message : String(cause), cause);
  }
  screen.clear();
  context.print(
    context.asJson
      ? visibleJson({
        outcome: "pulled",
        code: 0,
        output,
        ...(image.index === undefined ? {} : { indexDigest: image.index.digest }),
        manifestDigest: image.manifest.digest,
        layerDigest: file.layerDigest,
        path: file.pathInImage,
        size: file.size,
        sha256: file.sha256,
      })
      : `OK pulled: ${
        visibleText(file.pathInImage)
      } -> ${output} [${file.size} bytes, sha256 ${file.sha256}]`,
  );
  return 0;
}

/**
 * The file that will be replaced, if one is there. What can be seen to be impossible is told before anything is
 * fetched: throws {@linkcode JobFailure} `local-io`.
 */
async function demandPlace(
  output: string,
  directory: string,
  files: World["files"],
): Promise<FileFacts | undefined> {
  const [parent, present] = await Promise.all([files.facts(directory), files.facts(output)]).catch(
    (cause) => {
      throw unwritable(output, cause instanceof Error ? cause.message : String(cause), cause);
    },
  );
  if (!parent?.isDirectory) {
    const found = parent === undefined ? "does not exist" : "is not a directory";
    throw unwritable(output, `'${directory}' ${found}`);
  }
  if (present?.isDirectory) throw unwritable(output, "it is a directory, wanted a file");
  // the last step is a rename: it would put a file in the place of /dev/null
  if (present !== undefined && !present.isFile) {
    throw unwritable(output, "it is a device or a pipe, wanted a file");
  }
  return present;
}

function unwritable(output: string, found: string, cause?: unknown): JobFailure {
  return new JobFailure("local-io", `Cannot write '${output}': ${found}`, { cause });
}

/**
 * Temporary files beside the output, so that the last step is a rename and never half a file. The file gets the
 * permissions of any new file of the user's from the start: until the rename its directory keeps others out.
 */
function withTemporaryFilesIn(directory: string, { files, ...world }: World): World {
  const makeTempDirectory = (): Promise<string> => files.makeTempDirectory(directory);
  return { ...world, files: { ...files, makeTempDirectory, createPrivate: files.create } };
}
