/**
 * The registries under contract: the lab's and docker-registry, each open, with a password, with tokens.
 *
 * @module
 */

import { startRegistry } from "../lab/registry.ts";
import type { ContractTarget } from "./contract_cases.ts";
import { type DockerRegistrySetUp, ROBOT, startDockerRegistry } from "./docker_registry.ts";
import { pushImage } from "./push_image.ts";

/** A target that is stopped when disposed. */
export interface RunningTarget extends ContractTarget, AsyncDisposable {}

const USERS = { [ROBOT.username]: ROBOT.password };

/** The lab's registry, filled without a socket. */
export async function labTarget(setUp: DockerRegistrySetUp): Promise<RunningTarget> {
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
export async function dockerTarget(setUp: DockerRegistrySetUp): Promise<RunningTarget> {
  const registry = await startDockerRegistry(setUp);
  const basic = `Basic ${btoa(`${ROBOT.username}:${ROBOT.password}`)}`;
  const authorizationFor = async (repository: string): Promise<string | undefined> => {
    if (setUp !== "token") return setUp === "htpasswd" ? basic : undefined;
    const url = new URL(registry.tokenServer?.realm ?? "");
    url.searchParams.set("scope", `repository:${repository}:pull,push`);
    const answer = await fetch(url, { headers: { authorization: basic } });
    return `Bearer ${(await answer.json()).token}`;
  };
  return {
    host: registry.host,
    ...(setUp === "open" ? {} : { credentials: ROBOT }),
    async push(image, repository, tag): Promise<void> {
      const authorization = await authorizationFor(repository);
      await pushImage(image, {
        host: registry.host,
        repository,
        tag,
        ...(authorization === undefined ? {} : { authorization }),
      });
    },
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}
