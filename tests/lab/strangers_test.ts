import { assertEquals } from "@std/assert";
import { serverPair } from "../builders/certificates.ts";
import { closeQuietly } from "./device_sockets.ts";
import { crowd, strangerKinds, visit } from "./strangers.ts";

/** Reads what it is sent and answers `reply`; counts the bytes of each visitor that shook hands. */
async function withServer(
  reply: Uint8Array,
  action: (options: { port: number; pinned: string; patience: number }, heard: number[]) => Promise<void>,
): Promise<void> {
  const { certificate, key, pinned } = await serverPair();
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: certificate, key });
  const heard: number[] = [];
  const serve = async (connection: Deno.TlsConn): Promise<void> => {
    try {
      await connection.handshake();
      if (reply.length > 0) await connection.write(reply);
      const buffer = new Uint8Array(65_536);
      let length = 0;
      for (let read: number | null = 0; read !== null; length += read ?? 0) {
        read = await connection.read(buffer).catch(() => null);
      }
      heard.push(length);
    } catch (error) {
      // Most strangers fail in the handshake: that is what they are for.
      if (!(error instanceof Error)) throw error;
    } finally {
      closeQuietly(connection);
    }
  };
  const visits: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const connection of listener) visits.push(serve(connection));
  })();
  try {
    await action({ port: listener.addr.port, pinned, patience: 300 }, heard);
  } finally {
    listener.close();
    await accepting;
    await Promise.all(visits);
  }
}

Deno.test("visit: every kind of stranger comes, and hears nothing from who says nothing", async () => {
  await withServer(new Uint8Array(), async (options) => {
    const visits = await crowd(strangerKinds.length, options);
    assertEquals(visits.map(({ kind }) => kind), [...strangerKinds]);
    assertEquals(visits.map(({ received }) => received.length), strangerKinds.map(() => 0));
  });
});

Deno.test("visit: a stranger keeps what it was sent", async () => {
  const secret = new TextEncoder().encode("firmware");
  await withServer(secret, async (options) => {
    for (const kind of ["TLS without data", "another device"] as const) {
      assertEquals((await visit(kind, options)).received, secret);
    }
  });
});

Deno.test("visit: says exactly what its kind promises", async () => {
  await withServer(new Uint8Array(), async (options, heard) => {
    await visit("699 bytes", options);
    await visit("garbage", options);
    await visit("TLS without data", options);
    while (heard.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    assertEquals(heard, [699, 1000, 0]);
  });
});

Deno.test("visit: nobody listens", async () => {
  const { pinned } = await serverPair();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  for (const kind of strangerKinds) assertEquals((await visit(kind, { port, pinned })).end, "refused");
});
