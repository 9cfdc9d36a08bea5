import { join } from "node:path";
import { initAuthority } from "../certs/authority.ts";
import { CertsError, type CertsErrorCode } from "../certs/certs_error.ts";
import { DEFAULT_KEY_ALGORITHM, KEY_ALGORITHMS, type KeyAlgorithmName } from "../certs/key_algorithm.ts";
import { issueLeaf } from "../certs/leaf.ts";
import type { IssuedCertificate } from "../certs/new_certificate.ts";
import type { PemPaths } from "../certs/pem_pair.ts";
import { JobFailure, type Outcome } from "../job/job_outcome.ts";
import type { Ending } from "../job/job_record.ts";
import { OUTPUT_OPTIONS } from "../job/job_options.ts";
import { checkOutputSettings } from "../job/output_config.ts";
import { Faults, type Option, parseChoice, Settings } from "../job/option.ts";
import { endingOf } from "../job_ending.ts";
import { type Row, rows } from "../report/table_rows.ts";
import { visibleJson } from "../report/visible_text.ts";
import type { Command, CommandContext } from "./command.ts";
import { printFailure } from "./print_failure.ts";

const FILES = "Files (new ones are never written over old ones)";
const CERTIFICATE = "Certificate";

const OPTIONS: readonly Option[] = [
  value("directory", FILES, "DIR", "where the files below lie; made if it is not there", "."),
  value("authority-crt", FILES, "PEM", "init writes it, leaf reads it; default: DIR/authority.crt"),
  value("authority-key", FILES, "PEM", "its key, for no pod and no device; default: DIR/authority.key"),
  value("server-crt", FILES, "PEM", "leaf writes it; default: DIR/server.crt"),
  value("server-key", FILES, "PEM", "its key; default: DIR/server.key"),
  value("algorithm", CERTIFICATE, "NAME", `${KEY_ALGORITHMS.join(", ")}`, DEFAULT_KEY_ALGORITHM),
  value("days", CERTIFICATE, "N", "validity from now; default: 3650 for init, 365 for leaf"),
  value("common-name", CERTIFICATE, "NAME", "subject; default: 'ota-agent authority', 'ota-agent' for leaf"),
  {
    ...value("dns-name", CERTIFICATE, "NAME", "leaf: a name devices verify"),
    kind: "list",
    fallback: "ota-agent",
  },
  ...OUTPUT_OPTIONS,
];

/** `flashjob certs`: the certificates that the agent and its devices need. */
export const certsCommand: Command = {
  usage: "init|leaf [flags]",
  about:
    "A device trusts one certificate that is compiled into its firmware, and accepts every agent that shows a\n" +
    "certificate issued by it for the name ota-agent. So make an authority once, and leaves as often as you like:\n\n" +
    "  flashjob certs init --directory pki     # pki/authority.crt and .key: once for a fleet\n" +
    "  flashjob certs leaf --directory pki     # pki/server.crt and .key: again each year, no reflashing\n\n" +
    "To renew, move the old server.crt and .key away first, or name new ones with --server-crt and --server-key.\n" +
    "Compile authority.crt into the firmware, where the pinned server.crt stands. Mount server.crt and server.key in\n" +
    "the pod and name them in SERVER_CRT_PATH and SERVER_KEY_PATH (default: /ota/certs/server.crt and server.key).\n" +
    "authority.key belongs in neither: who has it can be the agent of every device that pins authority.crt.\n" +
    "Devices that have a CA:TRUE certificate of another origin compiled in take leaves of it too:\n\n" +
    "  flashjob certs leaf --authority-crt old/server.crt --authority-key old/server.key --directory new",
  options: OPTIONS,
  positionals: ["init|leaf"],
  async run(context) {
    const request = readRequest(context);
    try {
      await makeDirectory(request.directory, context);
      const made = request.kind === "init"
        ? await initAuthority({ ...request.settings, paths: request.authority }, context.world)
        : await issueLeaf({ ...request.settings, ...request }, context.world);
      context.print(
        context.asJson ? visibleJson(toJson(request.kind, made)) : table(request, made).join("\n"),
      );
      return 0;
    } catch (error) {
      const reason: unknown = context.signal.aborted ? context.signal.reason : error;
      return printFailure(context, certsEnding(reason));
    }
  },
};

interface CertsRequest {
  readonly kind: "init" | "leaf";
  readonly directory: string;
  readonly authority: PemPaths;
  /** Of the leaf. */
  readonly paths: PemPaths;
  readonly dnsNames: readonly string[];
  readonly settings: {
    readonly algorithm: KeyAlgorithmName;
    readonly commonName?: string;
    readonly days?: number;
  };
}

function readRequest({ args, flags, environment }: CommandContext): CertsRequest {
  const settings = new Settings(OPTIONS, flags, environment);
  const faults = new Faults();
  checkOutputSettings(settings, faults);
  const kind = faults.collect({ value: args[0] ?? "", from: "certs" }, parseChoice(["init", "leaf"])) ??
    "init";
  const algorithm = faults.collect(settings.find("algorithm"), parseChoice(KEY_ALGORITHMS));
  const days = faults.collect(settings.find("days"), parseDays);
  const commonName = settings.text("common-name");
  if (kind === "init") {
    for (const name of ["server-crt", "server-key", "dns-name"]) {
      if ([flags[name]].flat().some((given) => given !== undefined)) {
        faults.add(`--${name} belongs to 'flashjob certs leaf': an authority has none`);
      }
    }
  }
  if (faults.messages.length > 0) throw faults.error();
  const directory = settings.text("directory") ?? ".";
  const path = (name: string, usual: string): string => settings.text(name) ?? join(directory, usual);
  return {
    kind,
    directory,
    authority: {
      certificate: path("authority-crt", "authority.crt"),
      key: path("authority-key", "authority.key"),
    },
    paths: { certificate: path("server-crt", "server.crt"), key: path("server-key", "server.key") },
    dnsNames: settings.list("dns-name").map((setting) => setting.value),
    settings: {
      algorithm: algorithm ?? DEFAULT_KEY_ALGORITHM,
      ...(commonName === undefined ? {} : { commonName }),
      ...(days === undefined ? {} : { days }),
    },
  };
}

function parseDays(text: string): number {
  const days = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (days > 0) return days;
  throw new SyntaxError(`Cannot use '${text}' as days of validity: wanted a whole number above 0`);
}

async function makeDirectory(path: string, { world }: CommandContext): Promise<void> {
  try {
    await world.files.makeDirectory(path);
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    throw new JobFailure("local-io", `Cannot make directory '${path}': ${found}`, { cause });
  }
}

const CERTS: Record<CertsErrorCode, Outcome> = {
  "invalid-setting": "configuration",
  "exists": "local-io",
  "unreadable": "local-io",
  "not-an-authority": "configuration",
  "key-mismatch": "configuration",
  "io": "local-io",
};

function certsEnding(error: unknown): Ending {
  if (!(error instanceof CertsError)) return endingOf(error);
  return { outcome: CERTS[error.code], message: error.message };
}

function toJson(kind: CertsRequest["kind"], made: IssuedCertificate): Record<string, unknown> {
  return {
    outcome: "created",
    code: 0,
    kind: kind === "init" ? "authority" : "leaf",
    certificate: made.paths.certificate,
    key: made.paths.key,
    commonName: made.commonName,
    notAfter: made.notAfter.toISOString(),
    sha256: made.sha256,
  };
}

function table({ kind, directory }: CertsRequest, made: IssuedCertificate): string[] {
  const { certificate, key } = made.paths;
  const next: Row[] = kind === "init"
    ? [
      ["In the firmware", `compile in ${certificate}, as the certificate that is pinned`],
      ["In a safe place", `${key}: who has it can be the agent of every device`],
      [
        "Next",
        `flashjob certs leaf --authority-crt ${certificate} --authority-key ${key} --directory ${directory}`,
      ],
    ]
    : [["In the pod", `mount both, and set SERVER_CRT_PATH and SERVER_KEY_PATH to where they are`]];
  return [
    `OK created: ${kind === "init" ? "an authority for devices to pin" : "a certificate for the agent"}`,
    ...rows([
      ["Certificate", certificate],
      ["Key", key],
      ["Subject", made.commonName],
      ["Valid until", made.notAfter.toISOString()],
      ["SHA-256", made.sha256],
      ...next,
    ]),
  ];
}

function value(name: string, group: string, placeholder: string, help: string, fallback?: string): Option {
  return { name, kind: "value", group, placeholder, help, ...(fallback === undefined ? {} : { fallback }) };
}
