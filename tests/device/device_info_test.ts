import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import { parseDeviceInfo } from "../../src/device/device_info.ts";

const WHOLE = '{"device":"esp32s3","application":"thermo","version":"0.1.0"}';

Deno.test("parseDeviceInfo: a whole document gives all three values", () => {
  const all = { device: "esp32s3", application: "thermo", version: "0.1.0", cut: false };
  assertEquals(parseDeviceInfo(WHOLE), all);
  assertEquals(parseDeviceInfo(` ${WHOLE.replaceAll(":", " : ").replaceAll(",", " , ")}\r\n`), all);
  assertEquals(parseDeviceInfo(`${WHOLE}\0\0\0`), all);
  assertEquals(parseDeviceInfo('{"version":"2"}'), { version: "2", cut: false });
});

Deno.test("parseDeviceInfo: cut at any byte, a value counts only when its closing quote arrived", () => {
  for (let length = 0; length < WHOLE.length; length++) {
    const cut = WHOLE.slice(0, length);
    const expected = {
      ...(cut.includes('"esp32s3"') ? { device: "esp32s3" } : {}),
      ...(cut.includes('"thermo"') ? { application: "thermo" } : {}),
      ...(cut.includes('"0.1.0"') ? { version: "0.1.0" } : {}),
    };
    const isAny = Object.keys(expected).length > 0;
    assertEquals(parseDeviceInfo(cut), isAny ? { ...expected, cut: true } : undefined, cut);
  }
});

Deno.test("parseDeviceInfo: what is not the document is nothing", () => {
  const table = [
    "",
    "\0",
    "<!doctype html><title>Router</title>",
    "null",
    "[]",
    '["device"]',
    '"device"',
    "{",
    "{}",
    '{"Device":"esp32"}',
    '{"device":1,"version":null,"application":["thermo"]}',
    '{"device":""}',
    '{"device":"\\n"}',
    '{"device":"esp32\\u0000"}',
    '{"device":"ünknown"}',
    `{"device":"${"a".repeat(129)}"}`,
    '{"__proto__":{"device":"esp32"}}',
    '{"constructor":{"device":"esp32"},"x":{"version":"1.0.0"}}',
    // Cut, and the values are not those of the document itself, or not certain.
    '{"x":{"version":"1.0.0"},"ver',
    '{"x":["version",{"version":"1.0.0"',
    '{"x":"\\"version\\":\\"1.0.0\\",","y',
    '{"x":"a","y":1,"version":"1.0.0","z',
    '{"version":"1\\u002e0","x',
  ];
  for (const text of table) assertEquals(parseDeviceInfo(text), undefined, text);
});

Deno.test("parseDeviceInfo: a value cannot pretend to be another one", () => {
  const info = parseDeviceInfo(JSON.stringify({ application: 'x","version":"9.9.9', version: "1.0.0" }));
  assertEquals(info, { application: 'x","version":"9.9.9', version: "1.0.0", cut: false });
  const cut = JSON.stringify({ application: 'x","version":"9.9.9', version: "1.0.0" }).slice(0, -4);
  assertEquals(parseDeviceInfo(cut), undefined);
});

Deno.test("parseDeviceInfo: large and deep answers are nothing, at once", () => {
  assertEquals(parseDeviceInfo("{".repeat(100_000)), undefined);
  assertEquals(parseDeviceInfo(`{"x":${"[".repeat(50_000)}`), undefined);
  assertEquals(parseDeviceInfo(`{${" ".repeat(100_000)}`), undefined);
  assertEquals(parseDeviceInfo(`{"a":"b",${",\t".repeat(50_000)}`), undefined);
});

Deno.test("parseDeviceInfo: any text gives short printable values or nothing", () => {
  const fragment = fc.constantFrom(...'{}[]",:\\ \0', "device", "version", "esp32", "1.0.0", "null", "\n");
  const text = fc.oneof(
    fc.array(fragment, { maxLength: 40 }).map((parts) => `{${parts.join("")}`),
    fc.json(),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(text, (body) => {
      const { cut: _, ...values } = parseDeviceInfo(body) ?? { cut: true };
      for (const value of Object.values(values)) assert(/^[\x20-\x7e]{1,128}$/.test(value));
      assertEquals(Object.getPrototypeOf(values), Object.prototype);
    }),
    { seed: 20262, numRuns: 3000 },
  );
});

Deno.test("parseDeviceInfo: what a device writes is read back, and a cut never invents a value", () => {
  const value = fc.stringMatching(/^[ !#-[\]-~]{1,60}$/);
  fc.assert(
    fc.property(value, value, value, fc.nat(240), (device, application, version, length) => {
      const written: Record<string, string> = { device, application, version };
      const text = JSON.stringify(written);
      assertEquals({ ...parseDeviceInfo(text) }, { ...written, cut: false } as Record<string, unknown>);
      const { cut: _, ...values } = parseDeviceInfo(text.slice(0, length)) ?? { cut: true };
      for (const [field, read] of Object.entries(values)) assertEquals(read, written[field]);
    }),
    { seed: 20263, numRuns: 1000 },
  );
});
