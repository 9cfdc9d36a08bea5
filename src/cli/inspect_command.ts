import { within } from "../deadline.ts";
import type { SecureBootKey } from "../image/secure_boot_key.ts";
import { type CheckSettings, readCheckSettings } from "../job/check_config.ts";
import { ConfigError } from "../job/config_error.ts";
import {
  CHECK_OPTIONS,
  IMAGE_OPTIONS,
  OUTPUT_OPTIONS,
  REGISTRY_OPTIONS,
  SIGNATURE_OPTIONS,
  TIMEOUT_OPTIONS,
} from "../job/job_options.ts";
import { Faults, type Option, parseDuration, Settings } from "../job/option.ts";
import { checkOutputSettings } from "../job/output_config.ts";
import { type PullSettings, readPullSettings, readRegistrySettings } from "../job/pull_config.ts";
import { readSignatureFlags } from "../job/signature_config.ts";
import { endingOf } from "../job_ending.ts";
import { readBootKeys } from "../read_boot_keys.ts";
import { type Digest, parseDigest } from "../registry/digest.ts";
import { type ImageReference, parseReference } from "../registry/reference.ts";
import type { RegistrySettings } from "../registry/registry_settings.ts";
import { inspectTable } from "../report/inspect_table.ts";
import type { SignatureFlags } from "../signature/signature_rule.ts";
import { visibleJson } from "../report/visible_text.ts";
import type { World } from "../world.ts";
import type { Command, CommandContext } from "./command.ts";
import { commandDeadline } from "./command_deadline.ts";
import { type Look, lookAtFile } from "./inspect_file.ts";
import { lookAtImage } from "./inspect_image.ts";
import { printFailure } from "./print_failure.ts";
import { readPassword } from "./read_password.ts";

const OPTIONS: readonly Option[] = [
  ...IMAGE_OPTIONS,
  ...REGISTRY_OPTIONS,
  ...CHECK_OPTIONS,
  ...SIGNATURE_OPTIONS,
  ...TIMEOUT_OPTIONS,
  ...OUTPUT_OPTIONS,
];

/** What is to be looked at, checked. */
export interface InspectRequest {
  /** A local file, or what a registry holds. */
  readonly subject:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "image"; readonly reference: ImageReference };
  /** What to take from the image; absent when no device is named. */
  readonly pull: PullSettings | undefined;
  /** How registries are reached. */
  readonly registry: RegistrySettings;
  /** The digest the reference must lead to. */
  readonly expectDigest: Digest | undefined;
  /** What makes a file unfit. */
  readonly check: CheckSettings;
  /** The Secure Boot keys that are trusted. */
  readonly keys: readonly SecureBootKey[];
  /** Who must have signed. */
  readonly signature: SignatureFlags;
}

/** `flashjob inspect`: what an image or a file holds, and what flash would say of it. */
export const inspectCommand: Command = {
  usage: "REFERENCE|FILE [flags]",
  about: "An image with its platforms, their digests and sizes:\n\n" +
    "  flashjob inspect registry.example.org/team/thermo:1.1\n\n" +
    "With --device also that platform's firmware, as `esptool image_info` shows it, the verdict of the image check,\n" +
    "and the state of the signature:\n\n" +
    "  flashjob inspect registry.example.org/team/thermo:1.1 --device esp32s3 --cosign-key cosign.pub\n\n" +
    "A file on this machine (an existing file, what starts with ./ or /, or ends with .bin, .elf, .hex, .img, .uf2):\n\n" +
    "  flashjob inspect build/thermo.bin --device esp32s3\n\n" +
    "The exit code is 0 when it could be looked at, even if flash would refuse it; the verdict is in the result.",
  options: OPTIONS,
  positionals: ["REFERENCE|FILE"],
  async run(context) {
    const settings = new Settings(OPTIONS, context.flags, context.environment);
    try {
      const deadline = commandDeadline(context, { settings, what: "the inspection" });
      const { report, fileTable } = await within(deadline, async (signal) => {
        const bounded = { ...context, signal };
        return await lookAt(await readRequest(settings, bounded), bounded);
      });
      context.screen.clear();
      context.print(context.asJson ? visibleJson(report) : inspectTable(report, fileTable).join("\n"));
      return report.code;
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      return printFailure(context, endingOf(context.signal.aborted ? context.signal.reason : error));
    }
  },
};

function lookAt(request: InspectRequest, context: CommandContext): Promise<Look> {
  const { subject } = request;
  return subject.kind === "file"
    ? lookAtFile(subject.path, request, context)
    : lookAtImage(subject.reference, request, context);
}

async function readRequest(settings: Settings, context: CommandContext): Promise<InspectRequest> {
  const faults = new Faults();
  checkOutputSettings(settings, faults);
  const password = await readPassword(settings, context, faults);
  const subject = await readSubject(context, faults);
  const given = {
    password,
    registry: subject?.kind === "image" ? subject.reference.registry : undefined,
    faults,
  };
  // Without a device nothing is pulled, and its absence is no fault here.
  const pull = settings.find("device") === undefined ? undefined : readPullSettings(settings, given);
  const check = readCheckSettings(settings, faults);
  // Of an image without a device nothing is looked at that these keys could have signed.
  const keyFiles = subject?.kind === "file" || pull !== undefined ? check.trustedKeyFiles : [];
  const request = {
    pull,
    registry: pull?.registry ?? readRegistrySettings(settings, given),
    expectDigest: pull === undefined
      ? faults.collect(settings.find("expect-digest"), parseDigest)
      : pull.expectDigest,
    check,
    keys: await faults.gather(() => readBootKeys(keyFiles, context.world, context.signal)) ?? [],
    signature: readSignatureFlags(settings, faults),
  };
  faults.collect(settings.find("timeout"), parseDuration);
  if (subject === undefined || faults.messages.length > 0) throw faults.error();
  return { subject, ...request };
}

/** What a build writes, in a path that begins with no registry and ends with no tag: such images are nowhere. */
const BUILD_RESULT = /^(?!localhost\/|[^/]+[.:][^/]*\/)[^:]*\.(?:bin|elf|hex|img|uf2)$/i;

/** A file that is there is meant, even where its name could be a reference too. */
async function readSubject(
  { args, world }: CommandContext,
  faults: Faults,
): Promise<InspectRequest["subject"] | undefined> {
  const [text = ""] = args;
  const isPath = /^\.{0,2}\//.test(text) || BUILD_RESULT.test(text);
  if (isPath || await isFile(text, world)) return { kind: "file", path: text };
  const reference = faults.collect({ value: text, from: "REFERENCE" }, parseReference);
  return reference === undefined ? undefined : { kind: "image", reference };
}

/** A reference may be longer than a file's name; what cannot be looked at for another reason is meant as a file. */
async function isFile(path: string, { files }: World): Promise<boolean> {
  try {
    return (await files.facts(path))?.isFile === true;
  } catch (cause) {
    return !(cause instanceof Error && "code" in cause && cause.code === "ENAMETOOLONG");
  }
}
