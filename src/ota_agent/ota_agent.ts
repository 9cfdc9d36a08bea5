import type { TlsListener, World } from "../world.ts";
import type { AgentEnd, AgentEvent } from "./agent_event.ts";
import type { AttestedAhead } from "./attestation_desk.ts";
import type { ExpectedDevice } from "./identity.ts";
import { readKeyPair } from "./key_pair.ts";
import { OtaAgentError } from "./ota_agent_error.ts";
import { Reception } from "./reception.ts";

/** What the built-in agent is told. All durations are milliseconds. */
export interface OtaAgentSettings {
  /** The image; read anew for each session. */
  readonly firmwarePath: string;
  /** The attestation server. */
  readonly attestationUrl: URL;
  /** PEM chain, leaf first. */
  readonly certificatePath: string;
  /** PEM private key. */
  readonly keyPath: string;
  /** Where to listen, 0.0.0.0 for everywhere. */
  readonly hostname: string;
  /** 4433 is compiled into devices; 0 lets the system choose. */
  readonly port: number;
  /** Until the device has dialled and shown its certificate. Devices try for some 80 s. */
  readonly dialInTimeout: number;
  /** For one verdict. A device on its second update gives up after 4500. */
  readonly attestationTimeout: number;
  /** Without any progress of the transfer. */
  readonly transferIdleTimeout: number;
  /** For the whole run. */
  readonly timeout: number;
  /** Whom the firmware is for, as far as it is known. */
  readonly expectedDevice?: ExpectedDevice;
  /** A verdict on the device's certificate from before it dialled. */
  readonly attestedAhead?: AttestedAhead;
  /** For one TLS handshake; 15000 when not given: an ESP32 needs some seconds for RSA. */
  readonly handshakeTimeout?: number;
  /** From the handshake to the whole certificate; 10000 when not given: devices send it after 500. */
  readonly certificateTimeout?: number;
  /** For dialling again after a session failed: devices try every 4000. */
  readonly redialTimeout: number;
  /** Connections open at once; 128 when not given. */
  readonly maxConnections?: number;
}

/** How a run is watched and ended. */
export interface OtaAgentOptions {
  /** Ends the run: `stopped`. */
  readonly signal: AbortSignal;
  /** Told of everything that happens, in order; the last event is `delivered` or `failed`. */
  readonly onEvent: (event: AgentEvent) => void;
}

/**
 * The built-in agent: checks what it was given, listens, and serves the one device until it has the firmware.
 *
 * Every expected failure is a typed end; nothing is left behind, no socket and no timer.
 */
export async function runOtaAgent(
  settings: OtaAgentSettings,
  world: World,
  options: OtaAgentOptions,
): Promise<AgentEnd> {
  const end = await attempt(settings, world, options).catch(failedEnd);
  const { kind, ...facts } = end;
  options.onEvent({ event: kind, ...facts } as AgentEvent);
  return end;
}

async function attempt(
  settings: OtaAgentSettings,
  world: World,
  options: OtaAgentOptions,
): Promise<AgentEnd> {
  await checkFirmware(settings.firmwarePath, world);
  const { certificate, key, warnings } = await readKeyPair(settings, world);
  for (const message of warnings) options.onEvent({ event: "warning", message });
  const listener = listen(settings, world, { certificate, key });
  return await new Reception(listener, settings, world, options).run();
}

async function checkFirmware(path: string, world: World): Promise<void> {
  const facts = await world.files.facts(path).catch((cause) => {
    throw unreadable(path, "it cannot be reached", cause);
  });
  if (facts === undefined) throw unreadable(path, "nothing is there");
  if (!facts.isFile) throw unreadable(path, "it is not a file");
  if (facts.size === 0) throw unreadable(path, "it is empty");
  try {
    using file = await world.files.open(path);
    await file.readAt(0, new Uint8Array(1));
  } catch (cause) {
    throw unreadable(path, "it cannot be opened", cause);
  }
}

function unreadable(path: string, found: string, cause?: unknown): OtaAgentError {
  return new OtaAgentError(
    "firmware-unreadable",
    `Cannot read the firmware '${path}': ${found}, a file with the image is expected`,
    { cause },
  );
}

function listen(
  settings: OtaAgentSettings,
  world: World,
  pair: { readonly certificate: string; readonly key: string },
): TlsListener {
  const { hostname, port } = settings;
  try {
    return world.listenTls({ hostname, port, ...pair });
  } catch (cause) {
    const isAboutKeys = cause instanceof Error && /InvalidData|InvalidInput|TypeError/.test(cause.name);
    throw isAboutKeys
      ? new OtaAgentError(
        "bad-key-pair",
        `Cannot serve TLS with '${settings.certificatePath}' and '${settings.keyPath}': ${words(cause)}`,
        { cause },
      )
      : new OtaAgentError(
        "listen-failed",
        `Cannot listen on '${hostname}:${port}': ${words(cause)}, free the port or choose another`,
        { cause },
      );
  }
}

function failedEnd(error: unknown): AgentEnd {
  if (!(error instanceof OtaAgentError)) throw error;
  return { kind: "failed", code: error.code, message: error.message, strangers: 0, tlsRefusals: 0 };
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
