import { buildEspApp } from "../builders/esp_image.ts";
import { buildFirmwareImage } from "../builders/oci_image.ts";
import { serverPair } from "../builders/certificates.ts";
import { type AttestationMode, type LabAttestation, startAttestation } from "./attestation.ts";
import { type LabDevice, startDevice } from "./device.ts";
import type { DeviceBehaviour } from "./device_behaviour.ts";
import type { DeviceEvent } from "./device_options.ts";
import type { Timings } from "./device_timings.ts";
import { type LabRegistry, startRegistry } from "./registry.ts";
import { OwnPorts } from "./own_ports.ts";

/** How the world of one job differs from the usual one. */
export interface LabOptions {
  /** What the device does other than its duty. */
  readonly behaviour?: DeviceBehaviour;
  /** What the attestation server does; `ok` by default. */
  readonly attestation?: AttestationMode;
  /** `fast` by default. */
  readonly timings?: Timings;
  /** Bytes of the firmware, roughly; 200 kB by default. */
  readonly size?: number;
  /** The version before; 1.0.0 by default. */
  readonly from?: string;
  /** The version of the image; 1.1.0 by default. */
  readonly to?: string;
  /** Told of what the device does. */
  readonly onDeviceEvent?: (event: DeviceEvent) => void;
}

/** User and password of the lab's registry. */
export const LAB_USER = { name: "ci", password: "correct-horse-battery-staple" };

/** Registry, device and attestation server on loopback, with a firmware pushed for three platforms. */
export interface Lab extends AsyncDisposable {
  /** Holds the image, behind token authentication. */
  readonly registry: LabRegistry;
  /** An esp32s3. */
  readonly device: LabDevice;
  /** Knows the device. */
  readonly attestation: LabAttestation;
  /** `HOST/REPOSITORY:TAG` of the image. */
  readonly reference: string;
  /** What the device should run in the end. */
  readonly firmware: Uint8Array;
  /** Where the device dials. */
  readonly agentPort: number;
  /** Holds `server.crt`, `server.key` and `config.json`; removed at the end. */
  readonly directory: string;
  /** The pod's environment, as the operator and Kubernetes set it. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Starts the outside world of one job. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const { timings = "fast" } = options;
  const size = options.size ?? 200_000;
  const version = options.to ?? "1.1.0";
  const platforms = (["esp32s3", "esp32s2", "esp32"] as const).map((chip) => ({
    architecture: chip,
    firmware: buildEspApp({ chip, version, project: "thermo", size }),
  }));
  const firmware = platforms[0]?.firmware ?? new Uint8Array();

  await using started = new AsyncDisposableStack();
  const registry = started.use(
    await startRegistry({
      auth: { kind: "token", tokens: { users: { [LAB_USER.name]: LAB_USER.password } } },
    }),
  );
  const reference = registry.put(buildFirmwareImage({ format: "docker", platforms }), "team/thermo", version);
  const pair = await serverPair();
  const agentPort = freePort();
  const device = started.use(
    await startDevice({
      agentPort,
      pinned: pair.pinned,
      version: options.from ?? "1.0.0",
      expectedImage: firmware,
      timings,
      ...(options.behaviour === undefined ? {} : { behaviour: options.behaviour }),
      ...(options.onDeviceEvent === undefined ? {} : { onEvent: options.onDeviceEvent }),
    }),
  );
  const attestation = started.use(
    startAttestation({ timings, registered: [device.certificate], mode: options.attestation ?? "ok" }),
  );
  const directory = await Deno.makeTempDir({ prefix: "lab-" });
  started.defer(() => Deno.remove(directory, { recursive: true }));
  await Deno.writeTextFile(`${directory}/server.crt`, pair.certificate);
  await Deno.writeTextFile(`${directory}/server.key`, pair.key);
  const auth = btoa(`${LAB_USER.name}:${LAB_USER.password}`);
  await Deno.writeTextFile(
    `${directory}/config.json`,
    JSON.stringify({ auths: { [registry.host]: { auth } } }),
  );

  const resources = started.move();
  return {
    registry,
    device,
    attestation,
    reference,
    firmware,
    agentPort,
    directory,
    environment: {
      FIRMWARE: reference,
      DEVICE: "esp32-s3",
      HOST_ENDPOINT: device.endpoint,
      EXTERNAL_IP: "127.0.0.1",
      DICE_AUTH_SERVICE_SERVICE_HOST: "127.0.0.1",
      DICE_AUTH_SERVICE_SERVICE_PORT: `${attestation.port}`,
      VERSION: version,
      UUID: "5f0c1b9e-0000-4000-8000-000000000001",
      APPLICATION_TYPE: "thermo",
      AGENT_PORT: `${agentPort}`,
      SERVER_CRT_PATH: `${directory}/server.crt`,
      SERVER_KEY_PATH: `${directory}/server.key`,
      DOCKER_CONFIG: directory,
      RESTART_DELAY: timings === "faithful" ? "3s" : "50ms",
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/**
 * Aborted when the process is told to stop; the reason is the signal's name. Taken before a lab is started, it keeps
 * the process alive until the lab is removed.
 */
export function stopSignal(): AbortSignal {
  const stopped = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => stopped.abort(name));
  }
  return stopped.signal;
}

const AGENT_PORTS = new OwnPorts(10_000, 10_000);

/** A port that nobody uses now. */
export function freePort(): number {
  using listener = AGENT_PORTS.listen("0.0.0.0");
  return listener.addr.port;
}
