import { assertEquals } from "@std/assert";
import { denoWorld } from "../src/deno_world.ts";
import { type NetworkFault, networkFault } from "../src/network_fault.ts";
import type { HttpOptions } from "../src/world.ts";
import { serverPair } from "./builders/certificates.ts";
import { RawServer } from "./device/raw_server.ts";
import { freePort } from "./lab/lab_world.ts";

const WAYS: readonly HttpOptions["proxy"][] = ["environment", "direct"];

/** The error of a request to that URL, body included. */
async function failureOf(url: string, proxy: HttpOptions["proxy"]): Promise<unknown> {
  const log = { debug() {}, info() {}, warn() {}, error() {}, room: () => log };
  using http = denoWorld(log).openHttp({ proxy });
  try {
    const response = await http.fetch(new URL(url), { signal: new AbortController().signal });
    await response.text();
  } catch (error) {
    return error;
  }
  throw new Error(`'${url}' answered`);
}

/** A request on each way, and what its error was taken for. */
async function faultsOf(url: string): Promise<NetworkFault[]> {
  return await Promise.all(WAYS.map(async (proxy) => networkFault(await failureOf(url, proxy))));
}

Deno.test("networkFault: a refused connection, whatever the URL is called", async () => {
  for (const path of ["/", "/v2/certificate/handshake/manifests/timed-out", "/x?y=reset%20by%20peer"]) {
    const faults = await faultsOf(`http://127.0.0.1:${freePort()}${path}`);
    assertEquals(faults, ["refused", "refused"], path);
  }
});

Deno.test("networkFault: connections that end without an answer, or in the middle of one", async () => {
  const answers = ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"];
  for (const answer of answers) {
    await using server = new RawServer(answer);
    const faults = await faultsOf(`http://${server.endpoint}/`);
    assertEquals(faults, ["reset", "reset"], answer);
  }
});

Deno.test("networkFault: a server that speaks no TLS, or shows a certificate nobody issued", async () => {
  using plain = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const answered = (async () => {
    for (let count = 0; count < WAYS.length; count++) {
      using connection = await plain.accept();
      await connection.read(new Uint8Array(4096));
      await connection.write(new TextEncoder().encode("HTTP/1.1 400 No TLS\r\n\r\n"));
    }
  })();
  for (const fault of await faultsOf(`https://127.0.0.1:${plain.addr.port}/`)) assertEquals(fault, "tls");
  await answered;

  const pair = await serverPair({ commonName: "localhost" });
  using listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, cert: pair.certificate, key: pair.key });
  const served = (async () => {
    for (let count = 0; count < WAYS.length; count++) {
      using connection = await listener.accept();
      await connection.handshake().catch(() => undefined);
    }
  })();
  for (const fault of await faultsOf(`https://localhost:${listener.addr.port}/`)) {
    assertEquals(fault, "tls");
  }
  await served;
});

Deno.test("networkFault: a name that nobody can resolve", async () => {
  // Not a name at all, so that no server is asked for it.
  assertEquals(await faultsOf("http://a..b/"), ["unresolved", "unresolved"]);
});

Deno.test("networkFault: codes of the system come before words, and causes are looked at", () => {
  const coded = (code: string, extra = {}) => Object.assign(new Error("certificate"), { code, ...extra });
  const table: [unknown, NetworkFault][] = [
    [coded("ECONNREFUSED"), "refused"],
    [coded("EHOSTUNREACH", { syscall: "connect" }), "unreachable"],
    [coded("EHOSTUNREACH", { syscall: "read" }), "unreachable"],
    [coded("ETIMEDOUT"), "unreachable"],
    [coded("EPIPE"), "reset"],
    [coded("EPERM"), "permission"],
    [coded("EAI_AGAIN"), "unresolved"],
    [coded("EWHATEVER"), "tls"],
    [new TypeError("x", { cause: new Error("y", { cause: coded("ECONNRESET") }) }), "reset"],
    [new Error("No route to host (os error 113)"), "unreachable"],
    [
      new Error("error sending request: client error (Connect): tcp connect error: timed out"),
      "unreachable",
    ],
    [new TypeError("Requests to port 22 are blocked"), "blocked-port"],
    [new Error('Requires net access to "10.0.0.1:80"'), "permission"],
    [new Error("peer closed connection without sending TLS close_notify"), "reset"],
    [new Error("something else"), "unknown"],
    ["a string", "unknown"],
    [undefined, "unknown"],
  ];
  for (const [error, fault] of table) {
    assertEquals(networkFault(error), fault, String(error));
  }
});

Deno.test("networkFault: an error that is its own cause is looked at once", () => {
  const error = new Error("x");
  error.cause = error;
  assertEquals(networkFault(error), "unknown");
});
