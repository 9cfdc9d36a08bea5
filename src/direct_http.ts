import type { Agent, AgentOptions, IncomingMessage, RequestOptions } from "node:http";
import type { Readable } from "node:stream";
import type { HttpClient, HttpInit } from "./world.ts";

/**
 * HTTP that never uses a proxy: `fetch` always reads the proxy variables, and device and attestation traffic must not
 * follow them. One connection a request, closed at its end: devices have few sockets.
 */
export class DirectHttp implements HttpClient {
  /** See {@linkcode HttpClient}; rejects with a `TypeError` whose cause carries the system's error code. */
  async fetch(url: URL, init: HttpInit): Promise<Response> {
    // Loaded here, as it takes longer to load than the rest of the agent does until it listens.
    const [http, https, stream] = await Promise.all([
      import("node:http"),
      import("node:https"),
      import("node:stream"),
    ]);
    init.signal.throwIfAborted();
    return await new Promise((resolve, reject) => {
      const { request, Agent } = url.protocol === "https:" ? https : http;
      const outgoing = request(url, requestOptions(init, new Agent(DIRECT)), (incoming) => {
        try {
          resolve(responseOf(incoming, stream.Readable));
        } catch (error) {
          incoming.destroy();
          reject(new TypeError(`Cannot use the answer of '${url.host}'`, { cause: error }));
        }
      });
      outgoing.on("socket", (socket) => socket.once("connect", () => init.onConnect?.(socket.remoteAddress)));
      outgoing.on("error", (error) => {
        if (init.signal.aborted) reject(init.signal.reason);
        else reject(new TypeError(`Cannot exchange a request with '${url.host}'`, { cause: error }));
      });
      // An answer that changes the protocol (101) is neither a response nor an error, and takes the socket along.
      outgoing.on("upgrade", (_response, socket) => {
        socket.destroy();
        reject(new TypeError(`Cannot use the answer of '${url.host}': it changes the protocol`));
      });
      outgoing.on("close", () => reject(init.signal.reason ?? new TypeError(`No answer of '${url.host}'`)));
      outgoing.end(init.body);
    });
  }

  /** Nothing is kept open between requests. */
  [Symbol.dispose](): void {}
}

/** With NODE_USE_ENV_PROXY set, an agent that is given no proxies of its own, not even none, uses the environment's. */
const DIRECT: AgentOptions & { readonly proxyEnv: Readonly<Record<string, string>> } = {
  keepAlive: false,
  proxyEnv: {},
};

function requestOptions(init: HttpInit, agent: Agent): RequestOptions {
  const length = init.body === undefined ? undefined : new TextEncoder().encode(init.body).length;
  return {
    method: init.method ?? "GET",
    headers: { ...init.headers, ...(length === undefined ? {} : { "content-length": length }) },
    signal: init.signal,
    agent,
  };
}

/** The answer as `fetch` gives it. Its body must be read or cancelled. */
function responseOf(incoming: IncomingMessage, nodeStream: typeof Readable): Response {
  const headers = new Headers();
  for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
    headers.append(incoming.rawHeaders[index] ?? "", incoming.rawHeaders[index + 1] ?? "");
  }
  const status = incoming.statusCode ?? 0;
  const isBodiless = status === 204 || status === 205 || status === 304;
  if (isBodiless) incoming.resume();
  const body = isBodiless ? null : nodeStream.toWeb(incoming) as ReadableStream<Uint8Array<ArrayBuffer>>;
  return new Response(body, { status, headers });
}
