import { isIP, isIPv4 } from "node:net";
import { AGENT_OUTCOMES } from "../job/agent_outcomes.ts";
import { parseAttestationUrl } from "../job/attestation_url.ts";
import { OUTCOMES, SIGNAL_OUTCOMES } from "../job/job_outcome.ts";
import {
  Faults,
  type Option,
  parseChoice,
  parseDuration,
  parsePort,
  serviceLinkWarning,
  Settings,
} from "../job/option.ts";
import { LOG_OPTIONS } from "../job/job_options.ts";
import { readLogSettings } from "../job/output_config.ts";
import { type OtaAgentSettings, runOtaAgent } from "../ota_agent/ota_agent.ts";
import { visibleJson } from "../report/visible_text.ts";
import { withoutUser } from "../without_user.ts";
import { type Command, Interruption } from "./command.ts";

const AGENT = "Agent";

const OPTIONS: readonly Option[] = [
  text("firmware-file", "PATH", "the image to send", "NEW_FIRMWARE_PATH"),
  text("attestation-url", "URL", "attestation server", "DICE_AUTH_URL"),
  text("server-crt", "PEM", "certificate the device has pinned, or a chain issued by it", "SERVER_CRT_PATH"),
  text("server-key", "PEM", "its key", "SERVER_KEY_PATH"),
  text("listen", "ADDRESS", "local address to listen on", "AGENT_LISTEN", "0.0.0.0"),
  text("port", "PORT", "port the device dials", "AGENT_PORT", "4433"),
  text("dial-in-timeout", "TIME", "the device dials (it tries for 80 s)", "DIAL_IN_TIMEOUT", "90s"),
  text(
    "redial-timeout",
    "TIME",
    "it dials again after a broken transfer (it tries every 4 s)",
    "REDIAL_TIMEOUT",
    "15s",
  ),
  text("attestation-timeout", "TIME", "the attestation server's verdict", "ATTESTATION_TIMEOUT", "30s"),
  text(
    "transfer-idle-timeout",
    "TIME",
    "longest stand-still of the transfer",
    "TRANSFER_IDLE_TIMEOUT",
    "30s",
  ),
  text("timeout", "TIME", "the whole run", "AGENT_TIMEOUT", "10m"),
  text(
    "verify-identity",
    "auto|require|off",
    "must the peer be the expected device",
    "VERIFY_IDENTITY",
    "auto",
  ),
  text("expect-certificate", "SHA256", "fingerprint of the device's certificate"),
  text("expect-address", "A.B.C.D", "the device's address"),
  text("attested-ahead", "SHA256@MS", "certificate found genuine at this time (epoch milliseconds)"),
  ...LOG_OPTIONS,
];

/** `flashjob agent`: the OTA agent alone, with the contract of the classic ota-agent. */
export const otaAgentCommand: Command = {
  usage: "[flags]",
  about:
    "Serves one device on port 4433 and ends: the four variables of the classic ota-agent are understood, and what\n" +
    "happens is printed on standard output as one JSON object a line. Exit codes are those of `flashjob flash`.",
  options: OPTIONS,
  positionals: [],
  async run(context) {
    const settings = new Settings(OPTIONS, context.flags, context.environment);
    for (const link of settings.serviceLinks()) context.world.log.warn(serviceLinkWarning(link));
    const end = await runOtaAgent(readAgentSettings(settings), context.world, {
      signal: context.signal,
      onEvent: (event) => context.print(visibleJson(event)),
    });
    if (end.kind === "delivered") return 0;
    const stopped: unknown = context.signal.reason;
    return OUTCOMES[
      stopped instanceof Interruption ? SIGNAL_OUTCOMES[stopped.processSignal] : AGENT_OUTCOMES[end.code]
    ].exit;
  },
};

/** Throws `ConfigError` with all faults at once. */
function readAgentSettings(settings: Settings): OtaAgentSettings {
  const faults = new Faults();
  readLogSettings(settings, faults);
  const needed = (name: string, variable: string): string => {
    const value = settings.text(name);
    if (value === undefined) faults.add(`${variable} is not set: wanted --${name} or ${variable}`);
    return value ?? "";
  };
  const duration = (name: string): number => faults.collect(settings.find(name), parseDuration) ?? 0;
  const firmwarePath = needed("firmware-file", "NEW_FIRMWARE_PATH");
  needed("attestation-url", "DICE_AUTH_URL");
  const attestationUrl = faults.collect(settings.find("attestation-url"), parseAttestationUrl);
  const verifyIdentity = faults.collect(
    settings.find("verify-identity"),
    parseChoice(["auto", "require", "off"]),
  );
  const certificateSha256 = faults.collect(settings.find("expect-certificate"), parseFingerprint);
  const address = faults.collect(settings.find("expect-address"), parseDeviceIp);
  const attestedAhead = faults.collect(settings.find("attested-ahead"), parseAttestedAhead);
  const result: OtaAgentSettings = {
    firmwarePath,
    attestationUrl: attestationUrl ?? new URL("http://localhost"),
    certificatePath: needed("server-crt", "SERVER_CRT_PATH"),
    keyPath: needed("server-key", "SERVER_KEY_PATH"),
    hostname: faults.collect(settings.find("listen"), parseLocalAddress) ?? "",
    port: faults.collect(settings.find("port"), parsePort) ?? 0,
    dialInTimeout: duration("dial-in-timeout"),
    redialTimeout: duration("redial-timeout"),
    attestationTimeout: duration("attestation-timeout"),
    transferIdleTimeout: duration("transfer-idle-timeout"),
    timeout: duration("timeout"),
    ...(verifyIdentity === "off" ? {} : {
      expectedDevice: {
        require: verifyIdentity === "require",
        ...(certificateSha256 === undefined ? {} : { certificateSha256 }),
        ...(address === undefined ? {} : { address }),
      },
    }),
    ...(attestedAhead === undefined ? {} : { attestedAhead }),
  };
  if (faults.messages.length > 0) throw faults.error();
  return result;
}

function parseFingerprint(value: string): string {
  if (/^[0-9a-f]{64}$/i.test(value)) return value.toLowerCase();
  throw new SyntaxError(`Cannot use '${value}' as a fingerprint: wanted 64 hexadecimal digits`);
}

function parseDeviceIp(value: string): string {
  if (isIPv4(value)) return value;
  throw new SyntaxError(`Cannot expect '${withoutUser(value)}': wanted the device's dotted IPv4 address`);
}

function parseLocalAddress(value: string): string {
  if (isIP(value) !== 0) return value;
  throw new SyntaxError(
    `Cannot listen on '${withoutUser(value)}': wanted an IP address of this machine, or 0.0.0.0 for all`,
  );
}

function parseAttestedAhead(value: string): { certificateSha256: string; at: number } {
  const [fingerprint, at] = value.split("@");
  if (at === undefined || !/^\d{1,16}(\.\d+)?$/.test(at)) {
    throw new SyntaxError(`Cannot use '${value}': wanted SHA256@MILLISECONDS`);
  }
  return { certificateSha256: parseFingerprint(fingerprint ?? ""), at: Number(at) };
}

function text(name: string, placeholder: string, help: string, variable?: string, fallback?: string): Option {
  return {
    name,
    kind: "value",
    group: AGENT,
    placeholder,
    help,
    variables: variable === undefined ? [] : [variable],
    ...(fallback === undefined ? {} : { fallback }),
  };
}
