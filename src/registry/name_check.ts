import type { World } from "../world.ts";
import { inwardAddress, isAddress } from "./host_class.ts";
import { usesProxy } from "./proxy_choice.ts";
import { RegistryError } from "./registry_error.ts";
import { unreachable } from "./unreachable.ts";

/** What {@linkcode checkName} needs. */
export interface NameCheck {
  /** Names the proxies, which resolve names by themselves. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Resolves names. */
  readonly world: World;
  /** Ends the wait; its reason is what is rejected with. */
  readonly signal: AbortSignal;
}

/**
 * Judges the name in a URL that `from` has named by the addresses it has now, as if they stood there themselves.
 *
 * Rejects with `policy`; with `unreachable` when it cannot be judged: its name server need only stay silent now and
 * answer the request's own question.
 */
export async function checkName(from: URL, to: URL, check: NameCheck): Promise<void> {
  if (to.hostname === from.hostname) return;
  const target = { url: to, addresses: await addressesOf(to, check) };
  // where `from` stands matters only to who is led inward
  if (inwardAddress({ url: from, addresses: [] }, target) === undefined) return;
  const address = inwardAddress({ url: from, addresses: await addressesOf(from, check) }, target);
  if (address === undefined) return;
  throw new RegistryError(
    "policy",
    `Cannot go to '${to.host}', which '${from.host}' names: its address ${address} lies in a local network`,
  );
}

async function addressesOf(url: URL, { environment, world, signal }: NameCheck): Promise<readonly string[]> {
  if (isAddress(url.hostname) || usesProxy(url, environment)) return [];
  try {
    return await world.resolveHost(url.hostname, signal);
  } catch (cause) {
    signal.throwIfAborted();
    throw unreachable(url, cause);
  }
}
