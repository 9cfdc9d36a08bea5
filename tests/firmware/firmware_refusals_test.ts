import { assertEquals, assertStringIncludes } from "@std/assert";
import { tarFile, tarHardLink, tarSymlink } from "../builders/tar.ts";
import { bytes, bytesLayer, extract, refusal, tarLayer } from "./stand_in_layers.ts";

/** More than the largest layer allowed where it is used. */
const LARGE = new Uint8Array(3_000_000).fill(7);

const NOT_ONE: Readonly<
  Record<string, readonly [layers: Parameters<typeof refusal>[0], code: string, says: string[]]>
> = {
  "no layers": [{ layers: [] }, "none-found", ["no layers"]],
  "an empty layer": [{ layers: [tarLayer([])] }, "none-found", ["no layer looked at holds a file"]],
  "nothing under firmware/": [
    { layers: [tarLayer([tarFile("etc/firmware.conf", "x"), tarFile("firmware-old/app.bin", "y")])] },
    "none-found",
    ["'etc/firmware.conf'", "'firmware-old/app.bin'", "--firmware-path"],
  ],
  "firmware is a file": [{ layers: [tarLayer([tarFile("firmware", "x")])] }, "none-found", ["'firmware'"]],
  "only a link under firmware/": [
    { layers: [tarLayer([tarSymlink("firmware/app.bin", "/opt/app.bin"), tarFile("opt/app.bin", "x")])] },
    "none-found",
    ["'firmware/app.bin -> /opt/app.bin'"],
  ],
  "an empty file": [{ layers: [tarLayer([tarFile("firmware/app.bin", "")])] }, "none-found", ["empty"]],
  "two files": [
    { layers: [tarLayer([tarFile("firmware/a.bin", "x"), tarFile("firmware/sub/b.bin", "y")])] },
    "several-found",
    ["'firmware/a.bin', 'firmware/sub/b.bin'", "--firmware-path"],
  ],
  "very many files": [
    { layers: [tarLayer(Array.from({ length: 40 }, (_, n) => tarFile(`firmware/${n + 10}.bin`, "x")))] },
    "several-found",
    ["'firmware/10.bin'", "and 30 more"],
  ],
  "names that would rewrite the terminal": [
    { layers: [tarLayer([tarFile("firmware/a\x1b[2J\n.bin", "x"), tarFile("firmware/b", "x")])] },
    "several-found",
    ["firmware/a\\u{1b}[2J\\u{a}.bin"],
  ],
  "a label's path that is not there": [
    { layers: [tarLayer([tarFile("opt/app.bin", "x")])], path: "/opt/App.bin", pathFrom: "label" },
    "none-found",
    ["'/opt/App.bin'", "label", "'opt/app.bin'"],
  ],
  "a flag's path that leaves the image": [
    { layers: [tarLayer([tarFile("a", "x")])], path: "../../etc/shadow", pathFrom: "flag" },
    "none-found",
    ["--firmware-path"],
  ],
  "a path to a directory": [
    { layers: [tarLayer([tarFile("firmware/app.bin", "x")])], path: "firmware" },
    "none-found",
    ["is a directory", "'firmware/app.bin'"],
  ],
  "a path to a device": [
    { layers: [tarLayer([{ name: "firmware/app.bin", type: "3" }])], path: "firmware/app.bin" },
    "none-found",
    ["is a device"],
  ],
  "a path through links in circles": [
    { layers: [tarLayer([tarSymlink("a", "b"), tarSymlink("b", "a")])], path: "a" },
    "unsupported-link",
    ["circles"],
  ],
  "a hard link to nothing": [
    { layers: [tarLayer([tarHardLink("firmware/app.bin", "../../etc/shadow")])] },
    "unsupported-link",
    ["'../../etc/shadow'"],
  ],
  "a name that leaves the image": [
    { layers: [tarLayer([tarFile("../../tmp/firmware/app.bin", "x")])] },
    "corrupt-archive",
    ["'../../tmp/firmware/app.bin'"],
  ],
  "a path that is directory and file at once": [
    { layers: [tarLayer([tarSymlink("firmware", "/opt"), tarFile("firmware/app.bin", "x")])] },
    "corrupt-archive",
    ["'firmware'"],
  ],
  "no archive": [{ layers: [bytesLayer(bytes("<html>not found</html>".repeat(99)))] }, "corrupt-archive", [
    "tar",
  ]],
  "a firmware above the limit": [
    { layers: [tarLayer([tarFile("firmware/app.bin", "x".repeat(101))])], maxFirmwareSize: 100 },
    "limit",
    ["100 bytes", "--max-firmware-size"],
  ],
  "a layer above the limit": [
    {
      layers: [tarLayer([tarFile("firmware/app.bin", "x"), tarFile("big", LARGE)])],
      maxFirmwareSize: 1_000_000,
    },
    "limit",
    ["--max-firmware-size"],
  ],
  "more entries than allowed": [
    { layers: [tarLayer([tarFile("a", "x"), tarFile("b", "x"), tarFile("firmware/c", "x")])], maxEntries: 3 },
    "limit",
    ["more files"],
  ],
  "more implied directories than allowed": [
    { layers: [tarLayer([tarFile(`firmware/${"d/".repeat(50)}c`, "x")])], maxEntries: 20 },
    "limit",
    ["more files"],
  ],
};

for (const [name, [wanted, code, says]] of Object.entries(NOT_ONE)) {
  Deno.test(`extractFirmware: ${name} is ${code}`, async () => {
    const refused = await refusal(wanted);
    assertEquals(refused.code, code, refused.message);
    for (const words of says) assertStringIncludes(refused.message, words);
  });
}

Deno.test("extractFirmware: a firmware of exactly the allowed size is no refusal", async () => {
  const content = LARGE.subarray(0, 1_000_000);
  const got = await extract({
    layers: [tarLayer([tarFile("firmware/app.bin", content)])],
    maxFirmwareSize: 1_000_000,
  });
  assertEquals(got.size, 1_000_000);
});

Deno.test("extractFirmware: a bomb is left as soon as it passes the limit", async () => {
  const bomb = tarLayer([tarFile("zeros", new Uint8Array(64_000_000))], {
    compression: "zstd",
    chunkSize: 64,
  });
  assertEquals((await refusal({ layers: [bomb], maxFirmwareSize: 1_000_000 })).code, "limit");
  assertEquals([bomb.opened(), bomb.finished()], [1, 0]);
});

Deno.test("extractFirmware: a layer longer than all it may hold is not asked for", async () => {
  const layer = tarLayer([tarFile("firmware/app.bin", "x")]);
  const huge = { ...layer, size: 2 ** 40 };
  assertEquals((await refusal({ layers: [huge], maxFirmwareSize: 1_000_000 })).code, "limit");
  assertEquals(layer.opened(), 0);
});
