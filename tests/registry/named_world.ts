/**
 * A world in which chosen names lead to lab servers on loopback, over TLS or not, and all other names lead nowhere:
 * so rules about public hosts can be tried without one. Every host that is knocked at is written down.
 *
 * @module
 */

import type { HttpClient, HttpOptions } from "../../src/world.ts";
import { startNamedProxy } from "./named_proxy.ts";
import { type TestWorld, testWorld } from "./registry_rig.ts";

/** A world with names; its proxy ends with it. */
export interface NamedWorld extends TestWorld, AsyncDisposable {
  /** Host of every request, in order. */
  readonly knocks: string[];
}

/** An address that is nobody's (RFC 5737). */
const PUBLIC_ADDRESS = "203.0.113.7";

/**
 * `names`: a host without port, to the `127.0.0.1:PORT` behind it. `addresses`: what a name resolves to, if not to a
 * public address.
 */
export function namedWorld(
  names: Readonly<Record<string, string>>,
  addresses: Readonly<Record<string, readonly string[]>> = {},
): NamedWorld {
  const knocks: string[] = [];
  const proxy = startNamedProxy(names);
  const openHttp = (options: HttpOptions): HttpClient => {
    const client = Deno.createHttpClient({
      proxy: { url: proxy.url },
      poolMaxIdlePerHost: 0,
      ...(options.caCertificates ? { caCerts: [...options.caCertificates] } : {}),
      ...(options.clientIdentity
        ? { cert: options.clientIdentity.certificate, key: options.clientIdentity.key }
        : {}),
    });
    return {
      fetch(url, init) {
        knocks.push(url.host);
        if (names[url.hostname] !== undefined) return fetch(url, { ...init, redirect: "manual", client });
        return Promise.reject(new TypeError(`client error (Connect): dns error: no such host '${url.host}'`));
      },
      [Symbol.dispose]: () => client.close(),
    };
  };
  const resolveHost = (host: string): Promise<readonly string[]> =>
    (addresses[host] ?? names[host] ?? "").length === 0
      ? Promise.reject(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" }))
      : Promise.resolve(addresses[host] ?? [PUBLIC_ADDRESS]);
  return {
    ...testWorld({ openHttp, resolveHost }),
    knocks,
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}
