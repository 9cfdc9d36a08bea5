import type { World } from "../world.ts";
import type { Credential } from "./credential.ts";
import { askHelper } from "./credential_helper.ts";
import { bestFit, type CredentialTarget, helperServer } from "./credential_key.ts";
import { type DockerConfig, parseDockerConfig } from "./docker_config.ts";
import { RegistryError } from "./registry_error.ts";

/** Where credentials come from. */
export interface CredentialSettings {
  /** `DOCKER_CONFIG`, `HOME` and the like. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A file, or a directory with one (`--registry-config`). */
  readonly registryConfig?: string;
}

/** The credentials of the environment, looked up when first needed. */
export interface Credentials {
  /** The credential for a repository, if there is one. Rejects with `bad-credentials-file`. */
  find(target: CredentialTarget, signal: AbortSignal): Promise<Credential | undefined>;
}

/** A Kubernetes secret holds at most 1 MiB. */
const FILE_LIMIT = 1024 * 1024;

/** Names of a credentials file in a directory: docker's, a mounted secret's, podman's, docker's before 1.7. */
const FILE_NAMES: readonly string[] = ["config.json", ".dockerconfigjson", "auth.json", ".dockercfg"];

interface Place {
  /** For the log. */
  readonly name: string;
  readonly path?: string;
  readonly text?: string;
  /** `must`: its absence is an error; `should`: its absence is told; `may`: even a broken one only warns. */
  readonly need: "must" | "should" | "may";
}

/** Looks into the places in order: the first one with a fitting entry decides. */
export function openCredentials(settings: CredentialSettings, world: World): Credentials {
  const loaded = new Map<Place, Promise<DockerConfig | undefined>>();
  const load = (place: Place): Promise<DockerConfig | undefined> => {
    const known = loaded.get(place) ?? loadConfig(place, world);
    loaded.set(place, known);
    return known;
  };
  const places = placesOf(settings);
  return {
    async find(target, signal): Promise<Credential | undefined> {
      for (const place of places) {
        const config = await load(place);
        if (config === undefined) continue;
        const found = await findIn(
          config,
          target,
          { place, environment: settings.environment, signal },
          world,
        );
        if (found !== undefined) return found;
      }
      world.log.debug(`No credentials for '${target.registry}', asking anonymously`);
      return undefined;
    },
  };
}

function placesOf({ environment, registryConfig }: CredentialSettings): Place[] {
  const { DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, DOCKER_CONFIG, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, HOME } =
    environment;
  const configHome = XDG_CONFIG_HOME || (HOME ? `${HOME}/.config` : undefined);
  return [
    ...(registryConfig ? [{ name: registryConfig, path: registryConfig, need: "must" as const }] : []),
    ...(DOCKER_AUTH_CONFIG
      ? [{ name: "DOCKER_AUTH_CONFIG", text: DOCKER_AUTH_CONFIG, need: "should" as const }]
      : []),
    ...(REGISTRY_AUTH_FILE
      ? [{ name: "REGISTRY_AUTH_FILE", path: REGISTRY_AUTH_FILE, need: "should" as const }]
      : []),
    ...(DOCKER_CONFIG ? [{ name: "DOCKER_CONFIG", path: DOCKER_CONFIG, need: "should" as const }] : []),
    ...[
      XDG_RUNTIME_DIR && `${XDG_RUNTIME_DIR}/containers/auth.json`,
      configHome && `${configHome}/containers/auth.json`,
      HOME && !DOCKER_CONFIG && `${HOME}/.docker/config.json`,
      HOME && `${HOME}/.dockercfg`,
    ].filter((path) => typeof path === "string" && path !== "").map((path) => ({
      name: String(path),
      path: String(path),
      need: "may" as const,
    })),
  ];
}

async function loadConfig(place: Place, world: World): Promise<DockerConfig | undefined> {
  try {
    const text = place.text ?? await readConfig(place.path ?? "", world);
    if (text !== undefined) return parseDockerConfig(text);
    if (place.need === "must") throw new SyntaxError("there is no such file, nor one in such a directory");
    if (place.need === "should") {
      world.log.warn(`Cannot use credentials of ${place.name}: there is no such file`);
    }
    return undefined;
  } catch (error) {
    // only these two say what is wrong without showing what stands in the file
    const found = error instanceof SyntaxError || error instanceof RangeError
      ? error.message
      : "it cannot be read";
    const message = `Cannot use credentials of '${place.name}': ${found}`;
    if (place.need !== "may") throw new RegistryError("bad-credentials-file", message);
    world.log.warn(message);
    return undefined;
  }
}

async function readConfig(path: string, world: World): Promise<string | undefined> {
  const facts = await world.files.facts(path);
  if (facts === undefined || !facts.isDirectory) {
    return facts === undefined ? undefined : await world.files.readText(path, FILE_LIMIT);
  }
  for (const name of FILE_NAMES) {
    const inside = `${path}/${name}`;
    if ((await world.files.facts(inside))?.isFile) return await world.files.readText(inside, FILE_LIMIT);
  }
  return undefined;
}

interface Search {
  readonly place: Place;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** Helpers beat entries, and a registry's own helper beats the store of all others, as docker does it. */
async function findIn(
  config: DockerConfig,
  target: CredentialTarget,
  search: Search,
  world: World,
): Promise<Credential | undefined> {
  const own = bestFit([...config.helpers].map(([key, helper]) => ({ key, helper })), target);
  const helper = own?.helper ?? config.store;
  if (helper !== undefined) {
    const { environment, signal } = search;
    const server = own?.key ?? helperServer(target.registry);
    const found = await askHelper({ helper, server, environment, signal }, world);
    if (found !== undefined) {
      world.log.info(`Using credential helper '${helper}' for '${target.registry}'`);
      return found;
    }
  }
  const entry = bestFit(config.entries.filter(({ credential }) => credential !== undefined), target);
  if (entry?.credential === undefined) return undefined;
  world.log.info(`Using credentials of '${entry.key}' from ${search.place.name}`);
  return entry.credential;
}
