import { assert, assertEquals, assertRejects } from "@std/assert";
import { diceCertificate } from "../builders/certificates.ts";
import { startAttestation } from "./attestation.ts";

function ask(url: string, body: string, signal = AbortSignal.timeout(10_000)): Promise<Response> {
  return fetch(url, { method: "POST", headers: { "content-type": "text/plain" }, body, signal });
}

Deno.test("startAttestation: 200 for a registered device, 401 for another and for garbage", async () => {
  const [known, unknown] = await Promise.all([diceCertificate("known"), diceCertificate("unknown")]);
  await using server = startAttestation({ registered: [known] });
  const cases = [
    [known.pem, 200, `{"status": "Certificate OK"}`],
    [unknown.pem, 401, `{"status": "Certificate Invalid"}`],
    ["no certificate", 401, `{"status": "Certificate Invalid"}`],
  ] as const;
  for (const [body, status, text] of cases) {
    const response = await ask(server.url, body);
    assertEquals([response.status, await response.text()], [status, text]);
    assertEquals(response.headers.get("connection"), "close");
  }
  assertEquals(server.requests.map(({ body }) => body), cases.map(([body]) => body));
});

Deno.test("startAttestation: an empty database knows nobody", async () => {
  await using server = startAttestation({ registered: [] });
  const response = await ask(server.url, (await diceCertificate()).pem);
  assertEquals(response.status, 401);
  await response.body?.cancel();
});

Deno.test("startAttestation: 405 for other methods, and each mode its status", async () => {
  await using server = startAttestation();
  const get = await fetch(server.url);
  assertEquals([get.status, await get.text()], [405, ""]);
  for (const mode of ["401", "405", "500"] as const) {
    server.mode = mode;
    const response = await ask(server.url, (await diceCertificate()).pem);
    assertEquals(response.status, Number(mode));
    await response.body?.cancel();
  }
});

Deno.test("startAttestation: one request at a time", async () => {
  await using server = startAttestation({ mode: "hang" });
  const asked = [1, 2, 3].map((number) => ask(server.url, `${number}`, AbortSignal.timeout(200)));
  const outcomes = await Promise.allSettled(asked);
  assertEquals(outcomes.map(({ status }) => status), ["rejected", "rejected", "rejected"]);
  assertEquals(server.requests.length, 1);
});

Deno.test("startAttestation: a request is cut at 4095 bytes, so that nothing registered is found", async () => {
  await using server = startAttestation();
  const response = await ask(server.url, " ".repeat(5000) + (await diceCertificate()).pem).catch(() =>
    undefined
  );
  assertEquals(response?.status ?? 401, 401);
  await response?.body?.cancel();
  assert((server.requests[0]?.body.length ?? 0) < 4095);
});

Deno.test("startAttestation: a server that hangs never answers, one that is down refuses", async () => {
  {
    await using server = startAttestation({ mode: "hang" });
    await assertRejects(() => ask(server.url, "x", AbortSignal.timeout(200)), DOMException);
    assertEquals(server.requests.length, 1);
  }
  await using down = startAttestation({ mode: "down" });
  await assertRejects(() => ask(down.url, "x"), TypeError);
});
