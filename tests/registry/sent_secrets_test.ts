import { assertEquals } from "@std/assert";
import { SentSecrets } from "../../src/registry/sent_secrets.ts";

Deno.test("SentSecrets: what was sent is hidden as sent and as it was before encoding, the longest first", () => {
  const secrets = new SentSecrets();
  secrets.noteAuthorization(`Basic ${btoa("ci:pass word/123")}`);
  secrets.noteAuthorization("Bearer abcd.efgh");
  secrets.noteAuthorization("Bearer abcd");
  secrets.note("refresh-token");
  const words = `denied: Basic ${btoa("ci:pass word/123")}, pass word/123, abcd.efgh, abcd, refresh-token`;
  assertEquals(secrets.hide(words), "denied: Basic ***, ***, ***, ***, ***");
});

Deno.test("SentSecrets: words without a secret stay as they are, also beside a very short password", () => {
  const secrets = new SentSecrets();
  assertEquals(secrets.hide("denied"), "denied");
  secrets.noteAuthorization(`Basic ${btoa("ci:e")}`);
  secrets.note("");
  assertEquals(secrets.hide("denied: request"), "denied: request");
});
