/**
 * The registries under contract: the lab's and docker-registry, each open, with a password, with tokens.
 *
 * @module
 */

import { startRegistry } from "../lab/registry.ts";
import type { ContractTarget } from "./contract_cases.ts";
import { type DockerRegistryAuth, startDockerRegistry } from "../lab/docker_registry.ts";

/** How a registry is guarded. */
export type SetUp = DockerRegistryAuth["kind"];

/** Who may pull and push where it is guarded. */
const ROBOT = { username: "robot", password: "a robot's password" } as const;

/** A target that is stopped when disposed. */
export interface RunningTarget extends ContractTarget, AsyncDisposable {}

const USERS = { [ROBOT.username]: ROBOT.password };

/** The lab's registry, filled without a socket. */
export async function labTarget(setUp: SetUp): Promise<RunningTarget> {
  const auth = setUp === "open"
    ? { kind: "open" as const }
    : setUp === "htpasswd"
    ? { kind: "basic" as const, user: ROBOT.username, password: ROBOT.password }
    : { kind: "token" as const, tokens: { users: USERS } };
  const registry = await startRegistry({ auth });
  return {
    host: registry.host,
    ...(setUp === "open" ? {} : { credentials: ROBOT }),
    push: (image, repository, tag) => Promise.resolve(void registry.put(image, repository, tag)),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/** The real docker-registry, filled over HTTP. */
export async function dockerTarget(setUp: SetUp): Promise<RunningTarget> {
  const auth: Record<SetUp, DockerRegistryAuth> = {
    open: { kind: "open" },
    htpasswd: { kind: "htpasswd", user: ROBOT.username, password: ROBOT.password },
    token: { kind: "token", tokens: { users: USERS } },
  };
  const registry = await startDockerRegistry(auth[setUp]);
  return {
    host: registry.host,
    ...(setUp === "open" ? {} : { credentials: ROBOT }),
    push: async (image, repository, tag) => void await registry.put(image, repository, tag),
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}
