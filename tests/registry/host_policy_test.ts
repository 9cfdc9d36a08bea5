import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { hostClass, inwardAddress } from "../../src/registry/host_class.ts";
import { tokenServer } from "../../src/registry/realm_policy.ts";
import { redirectTarget } from "../../src/registry/redirect_policy.ts";
import { RegistryError } from "../../src/registry/registry_error.ts";

Deno.test("hostClass: addresses in every spelling a URL allows, and names", () => {
  const table: readonly (readonly [string, string])[] = [
    ["harbor.example", "public"],
    ["8.8.8.8", "public"],
    ["[2001:db8::1]", "public"],
    ["localhost", "loopback"],
    ["a.localhost", "loopback"],
    ["localhost.", "loopback"],
    ["127.0.0.1", "loopback"],
    ["127.9.9.9", "loopback"],
    ["0x7f.1", "loopback"],
    ["2130706433", "loopback"],
    ["0177.0.0.1", "loopback"],
    ["[::1]", "loopback"],
    ["[::ffff:127.0.0.1]", "loopback"],
    ["[0:0:0:0:0:ffff:7f00:1]", "loopback"],
    ["169.254.169.254", "special"],
    ["[fe80::1]", "special"],
    ["[::ffff:169.254.169.254]", "special"],
    ["0.0.0.0", "special"],
    ["[::]", "special"],
    ["224.0.0.1", "special"],
    ["255.255.255.255", "special"],
    ["[ff02::1]", "special"],
    ["10.0.0.1", "private"],
    ["172.16.0.1", "private"],
    ["172.32.0.1", "public"],
    ["192.168.1.1", "private"],
    ["100.64.0.1", "private"],
    ["[fd00::1]", "private"],
    ["[fec0::1]", "private"],
    ["[feff::1]", "private"],
    ["[64:ff9b::a9fe:a9fe]", "special"],
    ["[64:ff9b::127.0.0.1]", "loopback"],
    ["[64:ff9b::808:808]", "public"],
    ["[64:ff9b:1::a9fe:a9fe]", "private"],
    ["[::ffff:0:a9fe:a9fe]", "special"],
    ["[::ffff:0:10.0.0.1]", "private"],
    ["[2002:7f00:1::]", "loopback"],
    ["[2002:a9fe:a9fe::1]", "special"],
    ["[2002:808:808::1]", "public"],
    ["[::10.0.0.1]", "private"],
    ["[::2]", "special"],
    ["[2001:db8:0:0:0:ffff:7f00:1]", "public"],
    ["[2600:1f14::64:ff9b]", "public"],
    ["registry", "private"],
    ["harbor.iot.svc", "private"],
    ["printer.local", "private"],
    ["notlocalhost", "private"],
    ["localhost.example", "public"],
    ["127.0.0.1.example", "public"],
  ];
  for (const [host, expected] of table) {
    assertEquals(hostClass(new URL(`http://${host}/`).hostname), expected, host);
  }
});

Deno.test("inwardAddress: addresses count as if they stood in the URL, and so does where the other stands", () => {
  const table: readonly (readonly [string, readonly string[], readonly string[], string | undefined])[] = [
    ["registry.example", [], [], undefined],
    ["registry.example", [], ["8.8.8.8", "2001:db8::1"], undefined],
    ["registry.example", [], ["8.8.8.8", "10.0.0.5"], "10.0.0.5"],
    ["registry.example", [], ["127.0.0.1"], "127.0.0.1"],
    ["registry.example", [], ["fd00::1"], "fd00::1"],
    ["registry.example", [], ["::ffff:169.254.169.254"], "::ffff:169.254.169.254"],
    // a company's own names
    ["registry.example", ["10.0.0.4"], ["10.0.0.5"], undefined],
    ["registry.example", ["10.0.0.4"], ["127.0.0.1"], "127.0.0.1"],
    ["registry.example", ["127.0.0.1"], ["127.0.0.1"], undefined],
    ["registry.example", ["127.0.0.1"], ["169.254.169.254"], "169.254.169.254"],
    // a public host that says it is at home here, too
    ["registry.example", ["8.8.8.8", "10.0.0.4"], ["10.0.0.5"], "10.0.0.5"],
    ["registry.example", ["127.0.0.1", "10.0.0.4"], ["127.0.0.1"], "127.0.0.1"],
    ["harbor.iot.svc", ["8.8.8.8"], ["10.0.0.5"], undefined],
    ["harbor.iot.svc", [], ["127.0.0.1"], "127.0.0.1"],
    ["10.0.0.4", [], ["10.0.0.5"], undefined],
  ];
  for (const [from, own, addresses, expected] of table) {
    const [stands, leads] = [new URL(`https://${from}/`), new URL("https://cdn.example/")];
    const found = inwardAddress({ url: stands, addresses: own }, { url: leads, addresses });
    assertEquals(found, expected, `${from} ${own} -> ${addresses}`);
  }
});

Deno.test("tokenServer: realms that may be asked", () => {
  const table: readonly (readonly [string, string, string])[] = [
    [
      "https://harbor.example/",
      "https://harbor.example/service/token",
      "https://harbor.example/service/token",
    ],
    ["https://harbor.example/", "https://auth.example/token?a=b", "https://auth.example/token?a=b"],
    ["https://harbor.example/", "/service/token", "https://harbor.example/service/token"],
    ["https://10.0.0.5/", "https://10.0.0.6/token", "https://10.0.0.6/token"],
    ["https://harbor.iot.svc/", "https://10.0.0.6/token", "https://10.0.0.6/token"],
    ["http://127.0.0.1:5000/", "http://127.0.0.1:5001/token", "http://127.0.0.1:5001/token"],
    ["http://registry:5000/", "http://auth:5001/token", "http://auth:5001/token"],
    ["http://registry:5000/", "https://auth.example/token", "https://auth.example/token"],
    ["https://127.0.0.1:5000/", "https://127.0.0.1:5000/token", "https://127.0.0.1:5000/token"],
  ];
  for (const [registry, realm, expected] of table) {
    assertEquals(tokenServer(new URL(registry), realm).href, expected);
  }
});

Deno.test("tokenServer: realms that are refused, with the reason", () => {
  const table: readonly (readonly [string, string | undefined, string])[] = [
    ["https://harbor.example/", undefined, "names no realm"],
    ["https://harbor.example/", "", "names no realm"],
    ["https://harbor.example/", "https://", "is no URL"],
    ["https://harbor.example/", "http://harbor.example/token", "external_url"],
    ["https://harbor.example/", "https://user:secret@auth.example/token", "holds credentials"],
    ["https://harbor.example/", "ftp://auth.example/token", "is not https"],
    ["https://harbor.example/", "file:///etc/passwd", "is not https"],
    ["https://harbor.example/", "https://127.0.0.1/token", "local network"],
    ["https://harbor.example/", "https://localhost:8443/token", "local network"],
    ["https://harbor.example/", "https://169.254.169.254/token", "local network"],
    ["https://harbor.example/", "https://[::ffff:169.254.169.254]/token", "local network"],
    ["https://harbor.example/", "https://[fe80::1]/token", "local network"],
    ["https://harbor.example/", "https://0.0.0.0/token", "local network"],
    ["https://harbor.example/", "https://10.0.0.6/token", "local network"],
    ["https://harbor.example/", "https://vault.svc/token", "local network"],
    ["https://10.0.0.5/", "https://127.0.0.1/token", "local network"],
    ["http://127.0.0.1:5000/", "http://169.254.169.254/token", "local network"],
  ];
  for (const [registry, realm, found] of table) {
    const error = assertThrows(() => tokenServer(new URL(registry), realm), RegistryError);
    assertEquals(error.code, "policy");
    assertStringIncludes(error.message, found);
    assertEquals(error.message.includes("secret"), false);
  }
});

Deno.test("redirectTarget: where an answer may send us", () => {
  const from = new URL("https://registry.example/v2/a/blobs/x");
  const table: readonly (readonly [string, string])[] = [
    ["https://cdn.example/x?sig=1#frag", "https://cdn.example/x?sig=1"],
    ["/elsewhere", "https://registry.example/elsewhere"],
    ["//cdn.example/x", "https://cdn.example/x"],
  ];
  for (const [location, expected] of table) assertEquals(redirectTarget(from, location, 0).href, expected);
});

Deno.test("redirectTarget: where it may not, with the reason and without the query", () => {
  const from = "https://registry.example/v2/a/blobs/x?token=hidden";
  const table: readonly (readonly [string | null, number, string])[] = [
    [null, 0, "missing or no URL"],
    ["https://", 0, "missing or no URL"],
    ["http://registry.example/x", 0, "plain http"],
    ["http://cdn.example/x?sig=hidden", 0, "plain http"],
    ["ftp://cdn.example/x", 0, "'ftp:'"],
    ["data:text/plain,x", 0, "'data:'"],
    ["https://user:hidden@cdn.example/x", 0, "holds credentials"],
    ["https://127.0.0.1/x", 0, "local network"],
    ["https://localhost/x", 0, "local network"],
    ["https://169.254.169.254/latest/meta-data?x=hidden", 0, "local network"],
    ["https://192.168.0.1/x", 0, "local network"],
    ["https://cdn.example/x", 10, "more than 10"],
  ];
  for (const [location, hops, found] of table) {
    const error = assertThrows(() => redirectTarget(new URL(from), location, hops), RegistryError);
    assertEquals(error.code, "policy");
    assertStringIncludes(error.message, found);
    assertEquals(error.message.includes("hidden"), false);
  }
});
