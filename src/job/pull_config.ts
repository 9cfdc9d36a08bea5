import { type Digest, parseDigest } from "../registry/digest.ts";
import type { RegistrySettings } from "../registry/registry_settings.ts";
import { withoutUser } from "../without_user.ts";
import { type Faults, parseDuration, parseSize, type Settings } from "./option.ts";

/** What to take from an image, and how its registry is reached. */
export interface PullSettings {
  /** Lower case without dashes, as in the platform `custom/esp32s3`. */
  readonly device: string;
  /** Operating system of the platform, `custom` for firmware. */
  readonly platformOs: string;
  /** Path of the firmware in the image, when the user names it. */
  readonly firmwarePath: string | undefined;
  /** Bytes. */
  readonly maxFirmwareSize: number;
  /** What the reference must lead to. */
  readonly expectDigest: Digest | undefined;
  /** How the registry is reached. */
  readonly registry: RegistrySettings;
}

/** Reads the settings that `flash` and `pull` share; faults are added to `faults`. */
export function readPullSettings(
  settings: Settings,
  given: {
    readonly password: string | undefined;
    readonly registry: string | undefined;
    readonly faults: Faults;
  },
): PullSettings {
  const { faults } = given;
  const device = settings.find("device");
  if (device === undefined) faults.add("No device is given: wanted --device or DEVICE, for example esp32s3");
  return {
    device: faults.collect(device, parseDevice) ?? "",
    platformOs: settings.text("platform-os") ?? "custom",
    firmwarePath: settings.text("firmware-path"),
    maxFirmwareSize: faults.collect(settings.find("max-firmware-size"), parseSize) ?? 0,
    expectDigest: faults.collect(settings.find("expect-digest"), parseDigest),
    registry: readRegistrySettings(settings, given),
  };
}

/** Reads how registries are reached; faults are added to `faults`. */
export function readRegistrySettings(
  settings: Settings,
  given: {
    readonly password: string | undefined;
    readonly registry: string | undefined;
    readonly faults: Faults;
  },
): RegistrySettings {
  const { faults, password } = given;
  const username = settings.text("username");
  if (username !== undefined && password === undefined) {
    faults.add("--username is given without --password-stdin");
  }
  if (username === undefined && password !== undefined) {
    faults.add("--password-stdin is given without --username");
  }
  if (username !== undefined && password === "") faults.add("--password-stdin: standard input is empty");
  const certificateFile = settings.text("client-cert");
  const keyFile = settings.text("client-key");
  if ((certificateFile === undefined) !== (keyFile === undefined)) {
    faults.add("--client-cert and --client-key are only useful together");
  }
  const mirrors = settings.list("registry-mirror").map((setting) => faults.collect(setting, parseMirror))
    .filter((mirror) => mirror !== undefined);
  const optional = {
    credentials: username !== undefined && password !== undefined ? { username, password } : undefined,
    registryConfig: settings.text("registry-config"),
    caFile: settings.text("ca-file"),
    clientIdentity: certificateFile !== undefined && keyFile !== undefined && given.registry !== undefined
      ? { registry: given.registry, certificateFile, keyFile }
      : undefined,
    cache: settings.text("cache"),
    idleTimeout: faults.collect(settings.find("registry-idle-timeout"), parseDuration),
  };
  return {
    plainHttp: settings.list("plain-http").map((setting) => faults.collect(setting, parseRegistryHost))
      .filter((host) => host !== undefined),
    mirrors,
    environment: settings.environment,
    ...withoutHoles(optional),
  };
}

/** `ESP32-S3` is written in many ways; platforms are lower case and without dashes. */
function parseDevice(text: string): string {
  const name = text.trim().toLowerCase().replaceAll(/[-_]/g, "");
  if (/^[a-z0-9]{1,40}$/.test(name)) return name;
  throw new SyntaxError(`Cannot use '${text}' as a device: wanted letters and digits, for example esp32s3`);
}

/** What a registry is named by: no scheme, no user, no path. */
const REGISTRY_HOST = /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

function parseRegistryHost(text: string): string {
  if (REGISTRY_HOST.test(text)) return text;
  throw new SyntaxError(`Cannot use '${shown(text)}' as a registry: wanted HOST[:PORT]`);
}

/** A mirror may hold images below a prefix. */
const MIRROR = /^(?:https:\/\/)?(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?(?:\/[a-z0-9._-]+)*\/?$/i;

function parseMirror(text: string): { registry: string; mirror: string } {
  const [registry = "", mirror = "", ...more] = text.split("=");
  if (REGISTRY_HOST.test(registry) && MIRROR.test(mirror) && more.length === 0) return { registry, mirror };
  throw new SyntaxError(`Cannot use mirror '${shown(text)}': wanted HOST=MIRROR`);
}

/** A list of the environment is split at commas, which a password may hold: of an URL only its scheme is shown. */
function shown(text: string): string {
  return withoutUser(text).replace(/:\/\/.*$/s, "://...");
}

type Present<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };

/** The same fields without those that are undefined. */
function withoutHoles<Fields extends object>(fields: Fields): Present<Fields> {
  const present: Present<Fields> = {};
  for (const name of Object.keys(fields) as (keyof Fields)[]) {
    const field = fields[name];
    if (field !== undefined) present[name] = field as Exclude<Fields[typeof name], undefined>;
  }
  return present;
}
