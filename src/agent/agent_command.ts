import type { ChildCommand } from "../world.ts";

/** Our own program, started again as `flashjob agent`. */
export interface BuiltinAgent {
  /** Discriminates the two. */
  readonly kind: "builtin";
  /** The executable: the compiled program, or `deno`. */
  readonly program: string;
  /** What comes before `agent`: nothing, or `run ... main.ts`. */
  readonly programArgs: readonly string[];
  /** What the four variables cannot say. */
  readonly flags: BuiltinAgentFlags;
}

/** A program with the contract of the C ota-agent: four variables, no arguments, port 4433. */
export interface ClassicAgent {
  /** Discriminates the two. */
  readonly kind: "classic";
  /** The executable. */
  readonly path: string;
}

/** Flags of `flashjob agent`. Durations are milliseconds. */
export interface BuiltinAgentFlags {
  /** Where it listens. */
  readonly port: number;
  /** Until the device has dialled. */
  readonly dialInTimeout: number;
  /** For the device to dial again after a session failed. */
  readonly redialTimeout: number;
  /** For the attestation server's verdict. */
  readonly attestationTimeout: number;
  /** Without any progress of the transfer. */
  readonly transferIdleTimeout: number;
  /** For the whole run: its own default would end a job that may take longer. */
  readonly timeout: number;
  /** What a peer is that cannot be recognised. */
  readonly verifyIdentity: "auto" | "require" | "off";
  /** Lower-case hexadecimal fingerprint of the device's certificate. */
  readonly expectCertificate?: string;
  /** The device's IPv4 address. */
  readonly expectAddress?: string;
  /** A verdict obtained before: fingerprint and time in milliseconds since the Unix epoch. */
  readonly attestedAhead?: { readonly certificateSha256: string; readonly at: number };
}

/** What an agent process is started for. */
export interface AgentCommandSettings {
  /** Which program. */
  readonly agent: BuiltinAgent | ClassicAgent;
  /** The image. */
  readonly firmwarePath: string;
  /** `http://host:port`. */
  readonly attestationUrl: URL;
  /** PEM chain shown to the device. */
  readonly certificatePath: string;
  /** PEM private key. */
  readonly keyPath: string;
  /** Our own environment, of which little passes. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What any process needs. An allow-list: whatever else stands in our environment may be a secret. */
const PASSED_TO_ALL = ["PATH", "TZ", "LANG"];

/** Where `deno run` finds what it has cached, so that it downloads nothing. */
const PASSED_TO_DENO = ["HOME", "DENO_DIR", "XDG_CACHE_HOME", "NO_COLOR"];

/** The command line and the whole environment of an agent process. The credentials of registries never pass. */
export function agentCommand(settings: AgentCommandSettings): ChildCommand {
  const { agent, environment } = settings;
  const isDeno = agent.kind === "builtin" && agent.programArgs.length > 0;
  const passed = isDeno ? [...PASSED_TO_ALL, ...PASSED_TO_DENO] : PASSED_TO_ALL;
  const env: Record<string, string> = {};
  for (const name of passed) {
    const value = environment[name];
    if (value !== undefined) env[name] = value;
  }
  env["NEW_FIRMWARE_PATH"] = settings.firmwarePath;
  env["DICE_AUTH_URL"] = serverUrl(settings.attestationUrl);
  env["SERVER_CRT_PATH"] = settings.certificatePath;
  env["SERVER_KEY_PATH"] = settings.keyPath;
  return agent.kind === "classic"
    ? { path: agent.path, args: [], env }
    : { path: agent.program, args: [...agent.programArgs, "agent", ...flagArguments(agent.flags)], env };
}

/** `http://host:port`, always with its port, and with a path only where there is one. */
function serverUrl(url: URL): string {
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return `${url.protocol}//${url.hostname}:${port}${url.pathname === "/" ? "" : url.pathname}`;
}

function flagArguments(flags: BuiltinAgentFlags): string[] {
  const { expectCertificate, expectAddress, attestedAhead } = flags;
  return [
    ["--port", `${flags.port}`],
    ["--dial-in-timeout", `${flags.dialInTimeout}ms`],
    ["--redial-timeout", `${flags.redialTimeout}ms`],
    ["--attestation-timeout", `${flags.attestationTimeout}ms`],
    ["--transfer-idle-timeout", `${flags.transferIdleTimeout}ms`],
    ["--timeout", `${flags.timeout}ms`],
    ["--verify-identity", flags.verifyIdentity],
    expectCertificate === undefined ? [] : ["--expect-certificate", expectCertificate],
    expectAddress === undefined ? [] : ["--expect-address", expectAddress],
    attestedAhead === undefined
      ? []
      : ["--attested-ahead", `${attestedAhead.certificateSha256}@${attestedAhead.at}`],
  ].flat();
}
