import { assertEquals } from "@std/assert";
import { parseTcpTable } from "../../src/tcp_table.ts";
import { openSocketTable } from "./socket_table.ts";

Deno.test("openSocketTable: shows what the kernel shows of one port, and no other file", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  using client = await Deno.connect({ hostname: "127.0.0.1", port });
  using _server = await listener.accept();
  using file = await openSocketTable("/proc/net/tcp", port);
  const bytes = new Uint8Array(4096);
  const length = await file?.read(bytes) ?? 0;
  const rows = parseTcpTable(new TextDecoder().decode(bytes.subarray(0, length)));
  assertEquals(
    rows.map(({ localPort, state, remotePort }) => [localPort, state, remotePort]).sort(),
    [[port, "established", client.localAddr.port], [port, "listen", 0]],
  );
  assertEquals(await file?.read(bytes), null);
  assertEquals(await openSocketTable("/etc/hostname", port), undefined);
});
