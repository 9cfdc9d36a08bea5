import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import {
  DeviceAddressError,
  formatDeviceAddress,
  isLoopback,
  parseDeviceAddress,
} from "../../src/device/device_address.ts";

Deno.test("parseDeviceAddress: addresses, names and http URLs, port 80 unless given", () => {
  const table: [string, string][] = [
    ["192.168.11.20", "192.168.11.20:80"],
    ["192.168.11.20:8080", "192.168.11.20:8080"],
    ["http://192.168.11.20", "192.168.11.20:80"],
    ["HTTP://192.168.11.20:81/", "192.168.11.20:81"],
    ["esp32.local", "esp32.local:80"],
    ["ESP32.local:8080", "esp32.local:8080"],
    ["http://thermo-1.fleet.svc:80", "thermo-1.fleet.svc:80"],
    ["[fe80::1]", "[fe80::1]:80"],
    ["[fe80::1]:8080", "[fe80::1]:8080"],
    ["localhost:1234", "localhost:1234"],
  ];
  for (const [text, shown] of table) {
    const address = parseDeviceAddress(text);
    assertEquals(formatDeviceAddress(address), shown);
    assertEquals(parseDeviceAddress(formatDeviceAddress(address)), address);
  }
});

Deno.test("parseDeviceAddress: what is wrong is named", () => {
  const table: [string, string][] = [
    ["", "not an address"],
    ["https://192.168.11.20", "plain HTTP only"],
    ["HTTPS://host", "plain HTTP only"],
    ["ftp://192.168.11.20", "its scheme is 'ftp:'"],
    ["user@192.168.11.20", "user name or password"],
    ["http://user:pass@192.168.11.20", "user name or password"],
    ["http://192.168.11.20/info", "path or query"],
    ["192.168.11.20/24", "path or query"],
    ["192.168.11.20?x=1", "path or query"],
    ["192.168.11.20#x", "path or query"],
    ["192.168.11.20:0", "port 0"],
    ["192.168.11.20:99999", "not an address"],
    ["192.168.11.20:x", "not an address"],
    ["192.168.11.20 192.168.11.21", "not an address"],
    ["fe80::1", "not an address"],
    ["192.168.11.256", "not an address"],
    // A URL would complete or convert these to the address of another device.
    ["192.168.11", "read as 192.168.0.11"],
    ["192.168.11.020", "read as 192.168.11.16"],
    ["0xc0.168.11.20", "read as 192.168.11.20"],
    ["3232238356", "read as 192.168.11.20"],
    ["１92.168.11.20", "read as 192.168.11.20"],
    ["http://192.168.2/", "read as 192.168.0.2"],
  ];
  for (const [text, found] of table) {
    const error = assertThrows(() => parseDeviceAddress(text), DeviceAddressError);
    assertEquals(error.code, "bad-address");
    assertStringIncludes(error.message, found, text);
  }
});

Deno.test("parseDeviceAddress: a password in the address stands in no message", () => {
  const secret = fc.string({ minLength: 6, maxLength: 30, unit: "grapheme-ascii" })
    .filter((text) => text.trim().length >= 6 && !"Cannot use as a device address".includes(text));
  const around = fc.constantFrom(
    ["http://user:", "@192.168.11.20"],
    ["user:", "@192.168.11.20:80"],
    ["https://", "@host"],
    ["http://192.168.11.20/?token=", ""],
    ["http://user:", "@bad host"],
    ["x://user:", "@host/path"],
  );
  fc.assert(
    fc.property(secret, around, (hidden, [before, after]) => {
      const error = assertThrows(() => parseDeviceAddress(`${before}${hidden}${after}`), DeviceAddressError);
      assert(!error.message.includes(hidden), error.message);
    }),
    { seed: 20264, numRuns: 2000 },
  );
});

Deno.test("isLoopback: addresses and names of this machine, and no others", () => {
  for (
    const name of ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LOCALHOST", "a.localhost", "localhost."]
  ) {
    assert(isLoopback(name), name);
  }
  for (const name of ["127.example.com", "10.0.0.127", "localhost.example.com", "mylocalhost", "::2", ""]) {
    assert(!isLoopback(name), name);
  }
});
