import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { inflateRawSync } from "node:zlib";
import { unpackTar } from "modern-tar";
import {
  buildBootloader,
  buildEncryptedDump,
  buildMergedFlash,
  buildPartitionTable,
} from "./esp_flash_files.ts";
import { buildEsp8266V2 } from "./esp_8266.ts";
import { buildGzip, buildIntelHex, buildUf2, buildUstar, buildZip } from "./esp_mistaken_files.ts";
import { buildEspApp } from "./esp_image.ts";
import { espLayout } from "./esp_layout.ts";

const app = buildEspApp();

Deno.test("buildGzip, buildUstar, buildZip: a program unpacks the file that was packed", async () => {
  const unzipped = new Blob([buildGzip(app)]).stream().pipeThrough(new DecompressionStream("gzip"));
  assertEquals(new Uint8Array(await new Response(unzipped).arrayBuffer()), app);
  const [entry] = await unpackTar(buildUstar("firmware/thermo.bin", app));
  assertEquals([entry?.header.name, entry?.data], ["firmware/thermo.bin", app]);
  const zip = buildZip("thermo.bin", app);
  const packed = new DataView(zip.buffer).getUint32(18, true);
  const inflated = inflateRawSync(zip.subarray(30 + 10, 30 + 10 + packed));
  assertEquals(new Uint8Array(inflated), app);
});

Deno.test("buildUf2, buildIntelHex: payload and check values hold", () => {
  const uf2 = buildUf2(app);
  assertEquals([uf2.length % 512, uf2.subarray(32, 288)], [0, app.subarray(0, 256)]);
  const lines = new TextDecoder().decode(buildIntelHex(app)).trim().split("\r\n");
  for (const line of lines) {
    const sum = Uint8Array.fromHex(line.slice(1)).reduce((total, byte) => total + byte, 0);
    assertEquals(sum & 0xff, 0, line);
  }
});

Deno.test("buildPartitionTable: the MD5 entry covers the rows before it", () => {
  const table = buildPartitionTable();
  assertEquals([table.length, table.subarray(0, 2).toHex(), table.subarray(160, 162).toHex()], [
    0xc00,
    "aa50",
    "ebeb",
  ]);
  assertEquals(
    table.subarray(176, 192).toHex(),
    createHash("md5").update(table.subarray(0, 160)).digest("hex"),
  );
});

Deno.test("buildMergedFlash: each part stands at its flash offset less the target offset", () => {
  const merged = buildMergedFlash({ chip: "esp32", targetOffset: 0x1000 });
  assertEquals([merged[0], merged[0x7000], merged[0xf000]], [0xe9, 0xaa, 0xe9]);
  const whole = buildMergedFlash({ chip: "esp32c5" });
  assertEquals([whole[0], whole[0x2000], whole[0x8000], whole[0x10000]], [0xff, 0xe9, 0xaa, 0xe9]);
});

Deno.test("buildBootloader: no segment is flash-mapped and the descriptor is where v5.2 puts it", () => {
  const bootloader = buildBootloader("esp32s3");
  assertEquals([bootloader[0x20], espLayout(bootloader).end], [0x50, bootloader.length]);
  assert(buildBootloader("esp32s3", { descriptor: false })[0x20] !== 0x50);
});

Deno.test("buildEncryptedDump: noise of whole 16-byte rows", () => {
  const dump = buildEncryptedDump();
  const counts = new Float64Array(256);
  for (const byte of dump) counts[byte] = (counts[byte] ?? 0) + 1;
  const entropy = counts.reduce(
    (bits, count) => bits - count / dump.length * Math.log2(count / dump.length),
    0,
  );
  assert(entropy > 7.98 && dump.length % 16 === 0, String(entropy));
});

Deno.test("buildEsp8266V2: the flash segment is followed by a version 1 image", () => {
  const image = buildEsp8266V2();
  assertEquals([image[0], image[1], image[16 + 0x800]], [0xea, 4, 0xe9]);
});
