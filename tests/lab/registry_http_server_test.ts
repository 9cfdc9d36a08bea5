import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { networkFault } from "../../src/network_fault.ts";
import { startBlobHost } from "./registry_blob_host.ts";
import { makeAuthority } from "./registry_certificates.ts";
import { reset } from "./registry_fault.ts";
import { startHttpServer } from "./registry_http_server.ts";
import { emptyReply, jsonReply } from "./registry_reply.ts";
import { TokenIssuer } from "./registry_token_issuer.ts";

Deno.test("startHttpServer: over TLS it is reached by those who trust its authority", async () => {
  const authority = await makeAuthority();
  await using server = await startHttpServer({
    handler: () => jsonReply(200, "hello"),
    tls: await authority.issueServer(),
  });
  using client = Deno.createHttpClient({ caCerts: [authority.certificate] });
  assertEquals(await (await fetch(server.origin, { client })).json(), "hello");
  const error = await assertRejects(() => fetch(server.origin), TypeError);
  assertEquals(networkFault(error), "tls");
  assertEquals(server.requests.length, 1);
});

Deno.test("startHttpServer: client certificates are demanded and their names written down", async () => {
  const authority = await makeAuthority();
  const tls = { ...await authority.issueServer(), clientCa: authority.certificate };
  await using server = await startHttpServer({ handler: () => jsonReply(200, "hello"), tls });
  const { certificate: cert, key } = await authority.issueClient("robot");
  using known = Deno.createHttpClient({ caCerts: [authority.certificate], cert, key });
  assertEquals(await (await fetch(server.origin, { client: known })).json(), "hello");
  using unknown = Deno.createHttpClient({ caCerts: [authority.certificate] });
  await assertRejects(() => fetch(server.origin, { client: unknown }), TypeError);
  assertEquals(server.requests.map((one) => one.clientCertificate), ["robot"]);
});

Deno.test("startHttpServer: over TLS, a reset is a close without close_notify", async () => {
  const authority = await makeAuthority();
  await using server = await startHttpServer({
    handler: () => emptyReply(200),
    tls: await authority.issueServer(),
  });
  server.fault({ match: () => true, action: reset() });
  using client = Deno.createHttpClient({ caCerts: [authority.certificate] });
  const error = await assertRejects(() => fetch(server.origin, { client }), TypeError);
  assertStringIncludes(String(error.cause), "close_notify");
});

Deno.test("startHttpServer: a client that speaks TLS to a plain server is turned away at once", async () => {
  await using server = await startHttpServer({ handler: () => emptyReply(200) });
  await assertRejects(() => fetch(server.origin.replace("http:", "https:")), TypeError);
  assertEquals(server.requests.length, 0);
});

Deno.test("startHttpServer: requests are written down with query, headers and body", async () => {
  await using server = await startHttpServer({ handler: () => emptyReply(204) });
  const body = new ReadableStream({
    start(controller) {
      for (const part of ["one", "two"]) controller.enqueue(new TextEncoder().encode(part));
      controller.close();
    },
  });
  await fetch(`${server.origin}/a%2Fb?x=1&x=2`, { method: "POST", body, headers: { "X-Probe": "yes" } });
  const [request] = server.requests;
  assertEquals([request?.method, request?.path, request?.query.getAll("x")], ["POST", "/a%2Fb", ["1", "2"]]);
  assertEquals(request?.headers.get("x-probe"), "yes");
  assertEquals(new TextDecoder().decode(request?.body), "onetwo");
});

Deno.test("startHttpServer: one connection carries many requests", async () => {
  await using server = await startHttpServer({ handler: ({ path }) => jsonReply(200, path) });
  using client = Deno.createHttpClient({});
  for (const path of ["/a", "/b", "/c"]) {
    assertEquals(await (await fetch(server.origin + path, { client })).json(), path);
  }
  assertEquals(server.connections, 1);
});

Deno.test("startHttpServer: it can be named as a proxy, and writes down what was asked of it", async () => {
  await using server = await startHttpServer({ handler: ({ path }) => jsonReply(200, path) });
  using client = Deno.createHttpClient({ proxy: { url: server.origin } });
  assertEquals(await (await fetch("http://registry.invalid/v2/", { client })).json(), "/v2/");
  assertEquals(server.requests.map((one) => one.target), ["http://registry.invalid/v2/"]);
});

Deno.test("startHttpServer: a handler that fails is a 500 and is written down", async () => {
  await using server = await startHttpServer({
    handler: () => {
      throw new Error("broken handler");
    },
  });
  const response = await fetch(server.origin);
  await response.body?.cancel();
  assertEquals(response.status, 500);
  assertEquals(server.connectionErrors.map((error) => error.message), ["broken handler"]);
});

Deno.test("startBlobHost: it can challenge on its own account", async () => {
  const issuer = new TokenIssuer({});
  const realm = "https://auth.invalid/token";
  await using host = await startBlobHost({ access: { kind: "token", issuer, realm } });
  const response = await fetch(host.urlOf("sha256:0"));
  await response.body?.cancel();
  assertEquals(response.status, 401);
  assertEquals(response.headers.get("www-authenticate"), `Bearer realm="${realm}",service="lab-registry"`);
});
