import { assert, assertEquals, assertThrows } from "@std/assert";
import { infoRequest, isDottedIpv4, onboardRequest, updateRequest } from "../../src/device/update_request.ts";

const ADDRESS = { hostname: "192.168.11.20", port: 8080 };

Deno.test("isDottedIpv4: four decimal octets without leading zeros", () => {
  for (const text of ["0.0.0.0", "1.2.3.4", "10.0.0.255", "255.255.255.255", "192.168.11.20"]) {
    assert(isDottedIpv4(text), text);
  }
  const wrong = [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.04",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4\n",
    "+1.2.3.4",
    "1.2.3.-4",
    "0x1.2.3.4",
    "::1",
    "::ffff:1.2.3.4",
    "host",
    "1.2.3.4:80",
    "١.٢.٣.٤",
  ];
  for (const text of wrong) assert(!isDottedIpv4(text), text);
});

Deno.test("updateRequest: the body is exactly what the device scans, without a newline", () => {
  const { url, init } = updateRequest(ADDRESS, "192.168.11.2");
  assertEquals(url.href, "http://192.168.11.20:8080/update");
  assertEquals(init.method, "POST");
  assertEquals(init.body, "ip: 192.168.11.2");
  // The device copies it into 21 bytes.
  assert(updateRequest(ADDRESS, "255.255.255.255").init.body?.length === 19);
});

Deno.test("updateRequest: nothing but a dotted IPv4 address can be announced", () => {
  for (const text of ["host", "::1", "1.2.3.4\r\nx: y", "1.2.3.4 ", "01.2.3.4", "999.999.999.999"]) {
    assertThrows(() => updateRequest(ADDRESS, text), TypeError, "dotted IPv4");
  }
});

Deno.test("infoRequest, onboardRequest: GET without a body, closing the connection", () => {
  for (
    const [request, path] of [[infoRequest(ADDRESS), "/info"], [onboardRequest(ADDRESS), "/onboard"]] as const
  ) {
    assertEquals(request.url.href, `http://192.168.11.20:8080${path}`);
    assertEquals(request.init.method, "GET");
    assertEquals(request.init.body, undefined);
    assertEquals(request.init.headers?.["connection"], "close");
  }
});
