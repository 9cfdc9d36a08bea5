import { type DeviceAddress, isLoopback, parseDeviceAddress } from "../device/device_address.ts";
import { type ImageReference, parseReference } from "../registry/reference.ts";
import { type CheckSettings, readCheckSettings } from "./check_config.ts";
import {
  DEFAULT,
  Faults,
  parseChoice,
  parseDuration,
  parsePort,
  parseSwitch,
  serviceLinkWarning,
  type Settings,
} from "./option.ts";
import type { SignatureFlags } from "../signature/signature_rule.ts";
import { checkOutputSettings } from "./output_config.ts";
import { type PullSettings, readPullSettings } from "./pull_config.ts";
import { findHost, parseAgentIp, readAttestationUrl } from "./job_addresses.ts";
import { readSignatureFlags } from "./signature_config.ts";

/** Which program the device will dial. */
export type AgentChoice =
  | { readonly kind: "builtin" }
  | { readonly kind: "classic"; readonly path: string }
  /** The program at the classic path if one is there, else the built-in agent. */
  | { readonly kind: "default"; readonly path: string };

/** How far one part of the job goes in proving what happened. */
export type Rigour = "auto" | "require" | "off";

/** What decides which agent a job starts, and with what. */
export interface AgentSettings {
  /** Which program the device dials. */
  readonly agent: AgentChoice;
  /** PEM file of the agent's certificate. */
  readonly serverCertificate: string;
  /** PEM file of its key. */
  readonly serverKey: string;
  /** Whether one of the two was named, and not left to the default. */
  readonly namesKeyPair: boolean;
  /** Whether the device that dials must be the one at `host`. */
  readonly verifyIdentity: Rigour;
  /** Stop before the agent is started. */
  readonly dryRun: boolean;
}

/** Everything a job needs to know, checked. */
export interface JobConfig extends AgentSettings {
  /** The image. */
  readonly firmware: ImageReference;
  /** How the firmware is taken from the registry. */
  readonly pull: PullSettings;
  /** What makes the image unfit. */
  readonly check: CheckSettings;
  /** Who must have signed the image. */
  readonly signature: SignatureFlags;
  /** The device. */
  readonly host: DeviceAddress;
  /** Dotted IPv4; `undefined`: the local address that routes to the device. */
  readonly agentIp: string | undefined;
  /** Where the agent listens, and what the device has compiled in. */
  readonly agentPort: number;
  /** Who tells genuine devices from others. */
  readonly attestationUrl: URL;
  /** VERSION or --expect-version: a hint, never a proof. */
  readonly expectVersion: string | undefined;
  /** Whether the device is watched until it is back. */
  readonly confirm: Rigour;
  /** Where it will be then, if elsewhere. */
  readonly confirmHost: DeviceAddress | undefined;
  /** Send nothing when the device reports the image's version already. */
  readonly skipIfCurrent: boolean;
  /** Send an older version too. */
  readonly allowDowngrade: boolean;
  /** File of the Kubernetes termination message. */
  readonly terminationLog: string;
  /** Milliseconds. */
  readonly timeouts: JobTimeouts;
  /** What is odd about the settings and stops nothing. */
  readonly warnings: readonly string[];
  /** Who the operator says this job is for; only shown. */
  readonly identity: { readonly uuid: string | undefined; readonly applicationType: string | undefined };
}

/** The longest waits of a job, in milliseconds. */
export interface JobTimeouts {
  /** The whole job. */
  readonly job: number;
  /** One HTTP answer of the device. */
  readonly device: number;
  /** From the agent's start to its listening. */
  readonly ready: number;
  /** From its listening to the device's connection. */
  readonly dialIn: number;
  /** For the device to dial again after it was served in vain; the built-in agent waits for it. */
  readonly redial: number;
  /** For the attestation server's verdict. */
  readonly attestation: number;
  /** Longest stand-still of the transfer. */
  readonly transferIdle: number;
  /** From the delivery to the proof. */
  readonly confirm: number;
  /** From the delivery to the earliest restart; what is silent before is no restart. */
  readonly restartDelay: number;
}

const parseRigour = parseChoice<Rigour>(["auto", "require", "off"]);

const AGENT_PATH = "/usr/local/bin/ota-agent";

/**
 * Reads flags and environment into the configuration of one job (ota-protocol.md, "Environment of the pod").
 *
 * `password` is what `--password-stdin` read. Throws `ConfigError` with all faults at once.
 */
export function readJobConfig(settings: Settings, password: string | undefined): JobConfig {
  const faults = new Faults();
  checkOutputSettings(settings, faults);
  const need = <Value>(value: Value | undefined, sentence: string): Value => {
    // The cast is safe: a fault is noted, so the configuration that would hold the hole is never returned.
    if (value === undefined && sentence !== "") faults.add(sentence);
    return value as Value;
  };
  const setting = settings.find("firmware");
  const firmware = faults.collect(setting, parseReference);
  const pull = readPullSettings(settings, { password, registry: firmware?.registry, faults });
  const hostSetting = findHost(settings, faults);
  const host = faults.collect(hostSetting, parseDeviceAddress);
  const agentIp = faults.collect(settings.find("agent-ip"), parseAgentIp);
  if (agentIp !== undefined && host !== undefined && isLoopback(agentIp) && !isLoopback(host.hostname)) {
    faults.add(
      `${settings.find("agent-ip")?.from}: the device at ${host.hostname} would dial itself at ${agentIp}`,
    );
  }
  const duration = (name: string): number => faults.collect(settings.find(name), parseDuration) ?? 0;
  const on = (name: string): boolean => faults.collect(settings.find(name), parseSwitch) ?? false;
  const config: JobConfig = {
    firmware: need(
      firmware,
      setting === undefined ? missing("firmware image", "--firmware", "FIRMWARE") : "",
    ),
    pull,
    check: readCheckSettings(settings, faults),
    signature: readSignatureFlags(settings, faults),
    host: need(host, hostSetting === undefined ? missing("device address", "--host", "HOST_ENDPOINT") : ""),
    ...readAgentSettings(settings, faults),
    agentIp,
    agentPort: faults.collect(settings.find("agent-port"), parsePort) ?? 0,
    attestationUrl: need(readAttestationUrl(settings, faults), ""),
    expectVersion: settings.text("expect-version"),
    confirm: faults.collect(settings.find("confirm"), parseRigour) ?? "auto",
    confirmHost: faults.collect(settings.find("confirm-host"), parseDeviceAddress),
    skipIfCurrent: on("skip-if-current"),
    allowDowngrade: on("allow-downgrade"),
    terminationLog: settings.text("termination-log") ?? "",
    timeouts: {
      job: duration("timeout"),
      device: duration("device-timeout"),
      ready: duration("ready-timeout"),
      dialIn: duration("dial-in-timeout"),
      redial: duration("redial-timeout"),
      attestation: duration("attestation-timeout"),
      transferIdle: duration("transfer-idle-timeout"),
      confirm: duration("confirm-timeout"),
      restartDelay: duration("restart-delay"),
    },
    warnings: settings.serviceLinks().map(serviceLinkWarning),
    identity: {
      uuid: settings.environment["UUID"]?.trim() || undefined,
      applicationType: settings.environment["APPLICATION_TYPE"]?.trim() || undefined,
    },
  };
  if (faults.messages.length > 0) throw faults.error();
  return config;
}

function missing(what: string, flag: string, variable: string): string {
  return `No ${what} is given: wanted ${flag} or ${variable}`;
}

/** Reads what can be read of the agent's part, whatever is wrong with the rest; what is wrong here goes to `faults`. */
export function readAgentSettings(settings: Settings, faults: Faults): AgentSettings {
  return {
    agent: readAgentChoice(settings),
    serverCertificate: settings.text("server-crt") ?? "",
    serverKey: settings.text("server-key") ?? "",
    namesKeyPair: ["server-crt", "server-key"].some((name) => settings.find(name)?.from !== DEFAULT),
    verifyIdentity: faults.collect(settings.find("verify-identity"), parseRigour) ?? "auto",
    dryRun: faults.collect(settings.find("dry-run"), parseSwitch) ?? false,
  };
}

function readAgentChoice(settings: Settings): AgentChoice {
  const path = settings.text("agent");
  if (path === undefined) return { kind: "default", path: AGENT_PATH };
  return path === "builtin" ? { kind: "builtin" } : { kind: "classic", path };
}
