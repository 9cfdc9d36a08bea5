/**
 * An HTTP proxy on loopback that leads chosen names to chosen ports, by CONNECT for TLS and by absolute URLs
 * without, and knows no other names.
 *
 * @module
 */

/** A running proxy. */
export interface NamedProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** What it was asked for: hosts without port, in order. */
  readonly asked: readonly string[];
}

/** `names`: a host without port, to the `127.0.0.1:PORT` behind it; looked up for each connection. */
export function startNamedProxy(names: Readonly<Record<string, string>>): NamedProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.TcpConn>();
  const asked: string[] = [];
  const tasks = new Set<Promise<void>>();
  const serving = (async () => {
    for await (const client of listener) {
      const task = serve(client, { names, open, asked }).finally(() => tasks.delete(task));
      tasks.add(task);
    }
  })();
  return {
    asked,
    url: `http://127.0.0.1:${listener.addr.port}`,
    async [Symbol.asyncDispose](): Promise<void> {
      listener.close();
      for (const connection of open) close(connection);
      await Promise.all([serving, ...tasks]);
    },
  };
}

async function serve(
  client: Deno.TcpConn,
  { names, open, asked }: {
    readonly names: Readonly<Record<string, string>>;
    readonly open: Set<Deno.TcpConn>;
    readonly asked: string[];
  },
): Promise<void> {
  open.add(client);
  const head = await readHead(client);
  const [method = "", target = ""] = new TextDecoder().decode(head).split(" ");
  const host = method === "CONNECT" ? target.replace(/:\d+$/, "") : URL.parse(target)?.hostname ?? "";
  asked.push(host);
  const [hostname, port] = names[host]?.split(":") ?? [];
  if (hostname === undefined) return close(client);
  const server = await Deno.connect({ hostname, port: Number(port) });
  open.add(server);
  if (method === "CONNECT") await client.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
  else await server.write(head);
  await Promise.all([relay(client, server), relay(server, client)]);
  close(client);
  close(server);
}

async function readHead(client: Deno.TcpConn): Promise<Uint8Array<ArrayBuffer>> {
  const head = new Uint8Array(16_384);
  let length = 0;
  while (!new TextDecoder().decode(head.subarray(0, length)).includes("\r\n\r\n")) {
    const read = await client.read(head.subarray(length)).catch(() => null);
    if (read === null || read === 0) break;
    length += read;
  }
  return head.subarray(0, length);
}

/** Whatever ends one direction ends both: peers of these tests do not half-close. */
async function relay(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  await from.readable.pipeTo(to.writable).catch(() => undefined);
  close(from);
  close(to);
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch (error) {
    // a stream of it has closed it before
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
